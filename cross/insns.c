/* A plugin for QEMU's user emulation: counts the instructions that a program
 * executes and tells their number on standard error when it ends.
 *
 * Few functions are taken from QEMU, so they are declared here (version 1 of its
 * interface, QEMU 6.0 and later) and no header of QEMU is needed. The counter is
 * plain: programs of one thread only.
 *
 *   cc -O2 -shared -fPIC -o insns.so insns.c
 *   qemu-aarch64 -plugin ./insns.so PROGRAM
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
struct block;

size_t qemu_plugin_tb_n_insns(const struct block *block);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*called)(plugin_id, struct block *));
/* Operation 0 adds `by` to the number at `at` each time the block is entered. */
void qemu_plugin_register_vcpu_tb_exec_inline(struct block *block, int operation, void *at, uint64_t by);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*called)(plugin_id, void *), void *with);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int qemu_plugin_version = 1;

static uint64_t executed;

static void translated(plugin_id id, struct block *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &executed, qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id id, void *with) {
  (void)id;
  (void)with;
  fprintf(stderr, "instructions: %" PRIu64 "\n", executed);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
  (void)info;
  (void)count;
  (void)arguments;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
