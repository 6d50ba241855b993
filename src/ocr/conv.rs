//! Convolutions computed row by row.
//!
//! tract reads the planes of a picture where they lie. Planes of 320 columns are so
//! many bytes apart that the same column of all of them falls into the same few sets
//! of the processor's first cache; that is by their addresses, no counter was read,
//! but a convolution over 32 such planes takes several times as long as its
//! multiplications (bench/text/README.md). Here the rows that one row of the output needs are
//! laid side by side in a small buffer (columns of a stride together), and 16 columns
//! of four channels are summed up in registers. What follows a convolution, its bias
//! and the bound at zero, is done before a value is stored.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::identity::Identity;
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::optim::Optimizer;

/// Columns and channels of the output that are summed up at once: 64 sums fill half of
/// the registers of AVX2.
const COLUMNS: usize = 16;
const CHANNELS: usize = 4;
/// Columns that are laid into the buffer at once where the kernel is one pixel and the
/// picture is one long row.
const STRETCH: usize = 64;
/// Outputs narrower than this are left to tract, and kernels and channels beyond any
/// that such networks have, for which the buffer would be large.
const LEAST: usize = 64;
const LARGEST_KERNEL: usize = 7;
const MOST_CHANNELS: usize = 1024;

/// A convolution of planes in one group, with its bias.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub(super) struct RowConv {
    shape: Shape,
    /// For each four channels of the output: for each channel of the input, row and
    /// column of the kernel four weights. Then four biases for each.
    weights: Arc<Tensor>,
    biases: Arc<Tensor>,
    /// Whether sums below zero become zero.
    bounded: bool,
    /// Shape of the output as the network has it.
    output: TVec<usize>,
}

/// Sizes are rows and columns.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Shape {
    channels_in: usize,
    channels_out: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Zeros above and to the left of the picture.
    before: [usize; 2],
    input: [usize; 2],
    output: [usize; 2],
    /// Columns of the output that are computed together.
    stretch: usize,
}

/// Puts [`RowConv`] in the place of the convolutions that gain by it, on processors
/// with AVX2 and FMA; with others the model stays as it is.
pub(super) fn rewrite(mut model: TypedModel) -> TractResult<TypedModel> {
    if !fits() {
        return Ok(model);
    }
    // Weights may be stored in a form that has to be decoded.
    Optimizer::prop_consts().optimize(&mut model)?;
    for id in model.eval_order()? {
        if let Some(patch) = replaced(&model, id)? {
            patch.apply(&mut model)?;
        }
    }
    model.compact()?;
    Ok(model)
}

fn fits() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

fn replaced(model: &TypedModel, id: usize) -> TractResult<Option<TypedModelPatch>> {
    let node = model.node(id);
    let Some(conv) = node.op_as::<Conv>() else {
        return Ok(None);
    };
    let spec = &conv.pool_spec;
    let facts = model.node_input_facts(id)?;
    let (Some(input), Some(kernel), Some(bias)) = (
        facts[0].shape.as_concrete(),
        facts[1].konst.as_ref(),
        facts[2].konst.as_ref(),
    ) else {
        return Ok(None);
    };
    let output = spec.output_shape(&facts[0].shape)?.shape;
    let Some(output) = output
        .iter()
        .map(|d| d.to_usize().ok())
        .collect::<Option<TVec<_>>>()
    else {
        return Ok(None);
    };
    let plain = conv.group == 1
        && conv.q_params.is_none()
        && conv.kernel_fmt == KernelFormat::OIHW
        && spec.data_format == DataFormat::NCHW
        && spec.dilations().iter().all(|&by| by == 1)
        && spec.rank() == 2
        && facts[0].datum_type == f32::datum_type()
        && input[..2] == [1, spec.input_channels]
        && (1..=MOST_CHANNELS).contains(&spec.input_channels)
        && (1..=MOST_CHANNELS).contains(&spec.output_channels)
        && spec
            .kernel_shape
            .iter()
            .all(|&side| (1..=LARGEST_KERNEL).contains(&side))
        && (1..=2).contains(&spec.stride(0))
        && (1..=2).contains(&spec.stride(1));
    if !plain {
        return Ok(None);
    }
    let padding = spec.computed_padding(&input[2..]);
    let mut shape = Shape {
        channels_in: spec.input_channels,
        channels_out: spec.output_channels,
        kernel: [spec.kernel_shape[0], spec.kernel_shape[1]],
        stride: [spec.stride(0), spec.stride(1)],
        before: [padding[0].pad_before, padding[1].pad_before],
        input: [input[2], input[3]],
        output: [output[2], output[3]],
        stretch: output[3],
    };
    if shape.kernel == [1, 1] && shape.stride == [1, 1] && shape.input == shape.output {
        let area = shape.input[0] * shape.input[1];
        shape.input = [1, area];
        shape.output = [1, area];
        shape.stretch = STRETCH;
    }
    if shape.output[1] < LEAST {
        return Ok(None);
    }
    let mut biases = vec![0.0; shape.channels_out.next_multiple_of(CHANNELS)];
    add_bias(&mut biases, bias, shape.channels_out)?;
    // What follows.
    let mut last = id;
    let mut bounded = false;
    while let Some(next) = model.single_succ(last)? {
        if next.op_is::<Identity>() {
            last = next.id;
            continue;
        }
        let Some(op) = next.op_as::<TypedBinOp>() else {
            break;
        };
        let other = if next.inputs[0].node == last { 1 } else { 0 };
        let Some(constant) = model.outlet_fact(next.inputs[other])?.konst.clone() else {
            break;
        };
        let same = model.outlet_fact(next.id.into())?.shape == model.outlet_fact(id.into())?.shape;
        if !same || constant.datum_type() != f32::datum_type() {
            break;
        }
        if op.0.is::<math::Add>() && !bounded && constant.shape() == [1, shape.channels_out, 1, 1] {
            add_bias(&mut biases, &constant, shape.channels_out)?;
        } else if op.0.is::<math::Max>() && !bounded && constant.is_all_zero()? {
            bounded = true;
        } else {
            break;
        }
        last = next.id;
    }
    let op = RowConv {
        weights: packed(kernel, &shape)?,
        biases: tensor1(&biases).into_arc_tensor(),
        bounded,
        output,
        shape,
    };
    let mut patch = TypedModelPatch::default();
    let input = patch.tap_model(model, node.inputs[0])?;
    let wire = patch.wire_node(format!("{}.rows", node.name), op, &[input])?;
    patch.shunt_outside(model, last.into(), wire[0])?;
    Ok(Some(patch))
}

/// Adds a bias, which is one value for all channels or one for each.
fn add_bias(biases: &mut [f32], bias: &Tensor, channels: usize) -> TractResult<()> {
    let bias = bias.cast_to::<f32>()?;
    let values = bias.try_as_plain_ram()?.as_slice::<f32>()?;
    ensure!(values.len() == 1 || values.len() == channels);
    for (channel, to) in biases[..channels].iter_mut().enumerate() {
        *to += values[if values.len() == 1 { 0 } else { channel }];
    }
    Ok(())
}

/// The weights in the order in which they are used.
fn packed(kernel: &Tensor, shape: &Shape) -> TractResult<Arc<Tensor>> {
    let taps = shape.taps();
    let kernel = kernel.try_as_plain_ram()?.as_slice::<f32>()?;
    ensure!(kernel.len() == shape.channels_out * taps);
    let mut weights = vec![0.0; shape.channels_out.next_multiple_of(CHANNELS) * taps];
    for (channel, values) in kernel.chunks_exact(taps).enumerate() {
        let group = &mut weights[channel / CHANNELS * CHANNELS * taps..][..CHANNELS * taps];
        for (to, &value) in group.chunks_exact_mut(CHANNELS).zip(values) {
            to[channel % CHANNELS] = value;
        }
    }
    Ok(tensor1(&weights).into_arc_tensor())
}

impl Shape {
    /// Weights of one channel of the output.
    fn taps(&self) -> usize {
        self.channels_in * self.kernel[0] * self.kernel[1]
    }

    /// Length of a row in the buffer: the columns of one phase of the stride, up to
    /// what whole blocks of the output read.
    fn long(&self) -> usize {
        self.stretch.next_multiple_of(COLUMNS) + (self.kernel[1] - 1) / self.stride[1]
    }

    /// Values in the buffer for one row of the picture.
    fn row(&self) -> usize {
        self.channels_in * self.stride[1] * self.long()
    }

    /// Where each tap begins in the buffer, if its topmost row lies in place `top`.
    fn offsets(&self, top: usize) -> Vec<usize> {
        let [high, wide] = self.kernel;
        let step = self.stride[1];
        let mut offsets = Vec::with_capacity(self.taps());
        for channel in 0..self.channels_in {
            for y in 0..high {
                for x in 0..wide {
                    let row = (top + y) % high * self.row();
                    let phase = (channel * step + x % step) * self.long();
                    offsets.push(row + phase + x / step);
                }
            }
        }
        offsets
    }
}

/// Lays one row of all planes, from the column `from` on, into the buffer.
#[inline(always)]
fn lay(shape: &Shape, picture: &[f32], y: isize, from: isize, buffer: &mut [f32]) {
    let [high, wide] = shape.input;
    let step = shape.stride[1];
    let long = shape.long();
    if y < 0 || y as usize >= high {
        buffer.fill(0.0);
        return;
    }
    let y = y as usize;
    for (channel, rows) in buffer.chunks_exact_mut(step * long).enumerate() {
        let row = &picture[(channel * high + y) * wide..][..wide];
        if step == 1 {
            let blank = (-from).max(0) as usize;
            let start = from.max(0) as usize;
            let count = (long - blank).min(wide.saturating_sub(start));
            rows[..blank].fill(0.0);
            rows[blank..blank + count].copy_from_slice(&row[start..start + count]);
            rows[blank + count..].fill(0.0);
            continue;
        }
        let (even, odd) = rows.split_at_mut(long);
        // The first pair may begin before the picture.
        let mut at = 0;
        let mut column = from;
        while column < 0 && at < long {
            even[at] = 0.0;
            odd[at] = if column + 1 >= 0 {
                row[(column + 1) as usize]
            } else {
                0.0
            };
            at += 1;
            column += 2;
        }
        let rest = &row[(column as usize).min(wide)..];
        let pairs = (rest.len() / 2).min(long - at);
        for ((even, odd), pair) in even[at..at + pairs]
            .iter_mut()
            .zip(&mut odd[at..at + pairs])
            .zip(rest.chunks_exact(2))
        {
            *even = pair[0];
            *odd = pair[1];
        }
        even[at + pairs..].fill(0.0);
        odd[at + pairs..].fill(0.0);
        if at + pairs < long && rest.len() > 2 * pairs {
            even[at + pairs] = rest[2 * pairs];
        }
    }
}

/// Sums of 16 columns of four channels.
type Block = [[f32; COLUMNS]; CHANNELS];

/// The whole convolution. `block` sums up one block: for each tap the 16 values of the
/// buffer that begin at its offset, times its four weights, added to the block.
#[inline(always)]
fn convolve(
    op: &RowConv,
    [weights, biases, picture]: [&[f32]; 3],
    output: &mut [f32],
    block: impl Fn(&[f32], &[usize], &[f32], &mut Block),
) {
    let shape = &op.shape;
    let least = if op.bounded { 0.0 } else { f32::NEG_INFINITY };
    let [kernel_rows, _] = shape.kernel;
    let [high, wide] = shape.output;
    let taps = shape.taps();
    let offsets: Vec<Vec<usize>> = (0..kernel_rows).map(|top| shape.offsets(top)).collect();
    let mut buffer = vec![0.0; kernel_rows * shape.row()];
    for left in (0..wide).step_by(shape.stretch) {
        let count = shape.stretch.min(wide - left);
        let from = (left * shape.stride[1]) as isize - shape.before[1] as isize;
        // The first row that is not in the buffer.
        let mut missing = isize::MIN;
        for y in 0..high {
            let top = (y * shape.stride[0]) as isize - shape.before[0] as isize;
            let end = top + kernel_rows as isize;
            let place = |row: isize| row.rem_euclid(kernel_rows as isize) as usize;
            for row in missing.max(top)..end {
                let to = &mut buffer[place(row) * shape.row()..][..shape.row()];
                lay(shape, picture, row, from, to);
            }
            missing = end;
            let offsets = &offsets[place(top)];
            for x in (0..count).step_by(COLUMNS) {
                let columns = COLUMNS.min(count - x);
                let groups = weights.chunks_exact(CHANNELS * taps);
                for (group, weights) in groups.enumerate() {
                    let first = group * CHANNELS;
                    let mut sums: Block = std::array::from_fn(|at| [biases[first + at]; COLUMNS]);
                    block(&buffer[x..], offsets, weights, &mut sums);
                    for (at, sums) in sums.iter().enumerate().take(shape.channels_out - first) {
                        let to = ((first + at) * high + y) * wide + left + x;
                        for (to, sum) in output[to..to + columns].iter_mut().zip(sums) {
                            *to = sum.max(least);
                        }
                    }
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn convolve_avx2(op: &RowConv, from: [&[f32]; 3], output: &mut [f32]) {
    use std::arch::x86_64::*;
    convolve(op, from, output, |buffer, offsets, weights, sums| {
        let load = |values: &[f32; COLUMNS]| {
            let [low, high] = [0, COLUMNS / 2].map(|at| values[at..].as_ptr());
            // SAFETY: eight values follow each of the two.
            #[allow(unsafe_code)]
            unsafe {
                [_mm256_loadu_ps(low), _mm256_loadu_ps(high)]
            }
        };
        let mut now = [
            load(&sums[0]),
            load(&sums[1]),
            load(&sums[2]),
            load(&sums[3]),
        ];
        for (&offset, weights) in offsets.iter().zip(weights.as_chunks::<CHANNELS>().0) {
            let Some(values) = buffer[offset..].first_chunk() else {
                break;
            };
            let [low, high] = load(values);
            for at in 0..CHANNELS {
                let weight = _mm256_set1_ps(weights[at]);
                now[at][0] = _mm256_fmadd_ps(low, weight, now[at][0]);
                now[at][1] = _mm256_fmadd_ps(high, weight, now[at][1]);
            }
        }
        for at in 0..CHANNELS {
            let [low, high] = [0, COLUMNS / 2].map(|half| sums[at][half..].as_mut_ptr());
            // SAFETY: there is room for eight values at each of the two.
            #[allow(unsafe_code)]
            unsafe {
                _mm256_storeu_ps(low, now[at][0]);
                _mm256_storeu_ps(high, now[at][1]);
            }
        }
    });
}

impl Op for RowConv {
    fn name(&self) -> StaticName {
        "RowConv".into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for RowConv {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let picture = input.try_as_plain_ram()?.as_slice::<f32>()?;
        let weights = self.weights.try_as_plain_ram()?.as_slice::<f32>()?;
        let biases = self.biases.try_as_plain_ram()?.as_slice::<f32>()?;
        let Shape {
            channels_in,
            input: [high, wide],
            ..
        } = self.shape;
        ensure!(picture.len() == channels_in * high * wide);
        let mut output = vec![0.0; self.output.iter().product()];
        let from = [weights, biases, picture];
        // SAFETY: `rewrite` makes this operation only where `fits` says that the
        // processor has these instructions.
        #[allow(unsafe_code)]
        unsafe {
            convolve_avx2(self, from, &mut output);
        }
        let output = tract_ndarray::ArrayD::from_shape_vec(&*self.output, output)?;
        Ok(tvec!(output.into_tensor().into_tvalue()))
    }
}

impl TypedOp for RowConv {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&*self.output)))
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::tract_core::ops::cnn::{PaddingSpec, PoolSpec};

    /// Values between -1 and 1 that look random.
    fn noise(shape: &[usize], seed: u32) -> Tensor {
        let mut state = seed;
        let values: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        Tensor::from_shape(shape, &values).expect("as many values")
    }

    /// A convolution with a bias of its own, one added to it and a bound at zero, the
    /// last two only where `follows`.
    fn model(
        input: [usize; 4],
        kernel: [usize; 3],
        strides: [usize; 2],
        padding: PaddingSpec,
        follows: bool,
    ) -> TypedModel {
        let [out, high, wide] = kernel;
        let build = || -> TractResult<TypedModel> {
            let mut model = TypedModel::default();
            let x = model.add_source("x", f32::fact(input))?;
            let weights = model.add_const("weights", noise(&[out, input[1], high, wide], 7))?;
            let bias = model.add_const("bias", noise(&[out], 8))?;
            let conv = Conv {
                pool_spec: PoolSpec::new(
                    DataFormat::NCHW,
                    tvec!(high, wide),
                    padding.clone(),
                    None,
                    Some(tvec!(strides[0], strides[1])),
                    input[1],
                    out,
                ),
                kernel_fmt: KernelFormat::OIHW,
                group: 1,
                q_params: None,
            };
            let mut wire = model.wire_node("conv", conv, &[x, weights, bias])?;
            if follows {
                let more = model.add_const("more", noise(&[1, out, 1, 1], 9))?;
                let zero = model.add_const("zero", Tensor::zero::<f32>(&[1, 1, 1, 1])?)?;
                wire = model.wire_node("add", math::add(), &[wire[0], more])?;
                wire = model.wire_node("max", math::max(), &[wire[0], zero])?;
            }
            model.select_output_outlets(&wire)?;
            Ok(model)
        };
        build().expect("a model")
    }

    #[test]
    fn the_same_as_tract_says() {
        let by = |before: usize, after: usize| {
            PaddingSpec::Explicit(tvec!(before, before), tvec!(after, after))
        };
        for (input, kernel, strides, padding) in [
            ([1, 3, 20, 130], [16, 3, 3], [2, 2], by(1, 1)),
            ([1, 3, 21, 131], [5, 3, 3], [2, 2], by(1, 1)),
            ([1, 16, 9, 70], [8, 2, 2], [1, 1], PaddingSpec::SameUpper),
            ([1, 8, 9, 71], [6, 3, 3], [1, 1], by(1, 1)),
            ([1, 2, 12, 90], [4, 5, 7], [1, 1], by(3, 2)),
            ([1, 4, 30, 140], [3, 1, 1], [2, 2], by(0, 0)),
            ([1, 4, 30, 139], [3, 3, 2], [1, 2], by(0, 1)),
            ([1, 12, 11, 13], [7, 1, 1], [1, 1], by(0, 0)),
            ([1, 96, 3, 80], [1, 1, 1], [1, 1], by(0, 0)),
        ] {
            for follows in [false, true] {
                let model = model(input, kernel, strides, padding.clone(), follows);
                let ours = rewrite(model.clone()).expect("rewrites");
                let rows = ours.nodes.iter().filter(|node| node.op_is::<RowConv>());
                assert_eq!(rows.count(), usize::from(fits()));
                // Nothing of what follows is left.
                assert_eq!(ours.nodes.len() == 2, fits());
                let x = noise(&input, 1);
                let run = |model: TypedModel| {
                    let plan = model.into_optimized()?.into_runnable()?;
                    plan.run(tvec!(x.clone().into()))
                };
                let (theirs, ours) = (run(model).expect("runs"), run(ours).expect("runs"));
                ours[0]
                    .close_enough(&theirs[0], Approximation::Approximate)
                    .unwrap_or_else(|error| panic!("{input:?} {kernel:?}: {error}"));
            }
        }
    }

    #[test]
    fn what_does_not_gain_is_left_alone() {
        let none = || PaddingSpec::Explicit(tvec!(0, 0), tvec!(0, 0));
        for (input, kernel, strides) in [
            ([1, 3, 20, 40], [16, 3, 3], [1, 1]),
            ([2, 3, 20, 100], [16, 3, 3], [1, 1]),
            ([1, 3, 20, 300], [16, 3, 3], [3, 3]),
            ([1, 3, 20, 300], [16, 9, 9], [1, 1]),
        ] {
            let model = rewrite(model(input, kernel, strides, none(), true)).expect("rewrites");
            assert!(!model.nodes.iter().any(|node| node.op_is::<RowConv>()));
        }
    }
}
