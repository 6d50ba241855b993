//! Would true int8 arithmetic make reading text faster? Times tract's own int8
//! matrix product (weights packed once, bias, scale, bounds and the step down to
//! int8 in its epilogue) beside its f32 product at each shape of pointwise
//! convolution in the text models, and tells which share of the networks' time
//! those products take:
//!
//! ```text
//! int8_pays [models folder]
//! ```
//!
//! Processor time of one thread. What int8 may save at most is the share times
//! what the products save; whatever has to be turned into int8 and back where a
//! neighbour stays in f32 comes off that (told as well).

#[path = "support/meter.rs"]
#[expect(dead_code, reason = "memory is no matter here")]
mod meter;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{self, QScale};
use tract_onnx::tract_core::ops::{cast, quant};
use tract_onnx::tract_core::tract_linalg::Scaler;
use tract_onnx::tract_core::tract_linalg::mmm::RoundingPolicy;

/// A network is timed so many times, a product as often as fits into this.
const RUNS: usize = 30;
const ENOUGH: Duration = Duration::from_millis(30);

/// Rows of weights, length of a product, columns of the picture.
type Shape = (usize, usize, usize);

fn main() -> ExitCode {
    let folder = std::env::args().nth(1).unwrap_or("models".into());
    match run(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> TractResult<()> {
    for (file, height, width) in [
        ("recognise_ascii.onnx", 48, 320),
        ("recognise.onnx", 48, 320),
        ("detect.onnx", 192, 320),
        ("detect.onnx", 416, 640),
    ] {
        let model = tract_onnx::onnx()
            .with_ignore_value_info(true)
            .with_ignore_output_shapes(true)
            .model_for_path(folder.join(file))?
            .with_input_fact(0, f32::fact([1, 3, height, width]).into())?
            .into_typed()?
            .into_decluttered()?;
        let shapes = pointwise(&model)?;
        println!("\n{file} at {width}x{height}\n");
        let (whole, products) = profile(model.into_optimized()?, height, width)?;
        compare(&shapes, whole, products)?;
    }
    Ok(())
}

/// The pointwise convolutions by shape, with how many have it.
fn pointwise(model: &TypedModel) -> TractResult<BTreeMap<Shape, usize>> {
    let mut shapes = BTreeMap::new();
    for node in &model.nodes {
        let fact = model.outlet_fact(node.id.into())?;
        let shape = if let Some(conv) = node.op_as::<Conv>() {
            let spec = &conv.pool_spec;
            let one = spec.kernel_shape.iter().all(|&side| side == 1);
            let output = fact.shape.as_concrete().unwrap_or_default();
            let area = output.iter().skip(2).product();
            (one && conv.group == 1).then_some((spec.output_channels, spec.input_channels, area))
        } else if node.op_is::<EinSum>() {
            // What declutter has made of those that it knows for products.
            product(model, node)?
        } else {
            None
        };
        if let Some(shape) = shape.filter(|&(_, _, area)| area > 1) {
            *shapes.entry(shape).or_default() += 1;
        }
    }
    Ok(shapes)
}

/// The shape of a product of constant weights and a picture.
fn product(model: &TypedModel, node: &TypedNode) -> TractResult<Option<Shape>> {
    let facts = model.node_input_facts(node.id)?;
    let sizes: Vec<usize> = facts
        .iter()
        .map(|fact| {
            fact.shape
                .as_concrete()
                .unwrap_or_default()
                .iter()
                .product()
        })
        .collect();
    let Some(weights) = facts.iter().position(|fact| fact.konst.is_some()) else {
        return Ok(None);
    };
    let [first, second] = sizes[..] else {
        return Ok(None);
    };
    let (weights, picture) = if weights == 0 {
        (first, second)
    } else {
        (second, first)
    };
    let output = model.outlet_fact(node.id.into())?.shape.as_concrete();
    let output: usize = output.unwrap_or_default().iter().product();
    // m k, k n and m n are known.
    let rows = ((weights as f64 * output as f64 / picture as f64).sqrt()).round() as usize;
    if rows == 0 || !weights.is_multiple_of(rows) || !output.is_multiple_of(rows) {
        return Ok(None);
    }
    Ok(Some((rows, weights / rows, output / rows)))
}

/// Prints where the time goes; the whole, and what the products and the packing of
/// their inputs take of it.
fn profile(model: TypedModel, height: usize, width: usize) -> TractResult<(Duration, Duration)> {
    let plan = model.into_runnable()?;
    let mut state = plan.spawn()?;
    let input: TValue = Tensor::zero::<f32>(&[1, 3, height, width])?.into();
    let mut times: BTreeMap<String, Duration> = BTreeMap::new();
    for turn in 0..=RUNS {
        if turn == 1 {
            times.clear();
        }
        state.run_plan_with_eval(tvec!(input.clone()), |context, state, node, inputs| {
            let start = meter::processor_time();
            let done = tract_onnx::tract_core::plan::eval(context, state, node, inputs);
            *times.entry(node.op().name().to_string()).or_default() +=
                meter::processor_time() - start;
            done
        })?;
    }
    let whole: Duration = times.values().sum();
    let mut rows: Vec<_> = times.into_iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    println!("| operation | ms | share % |\n|---|---|---|");
    let percent = |time: Duration| 100.0 * time.as_secs_f64() / whole.as_secs_f64();
    for (name, time) in rows.iter().filter(|row| percent(row.1) >= 1.0) {
        println!(
            "| {name} | {:.3} | {:.1} |",
            ms(*time) / RUNS as f64,
            percent(*time)
        );
    }
    println!("| all | {:.3} | |\n", ms(whole) / RUNS as f64);
    let products = rows
        .iter()
        .filter(|(name, _)| name.starts_with("OptMatMul"))
        .map(|row| row.1)
        .sum();
    Ok((whole, products))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Prints what each shape takes, and what int8 may save.
fn compare(
    shapes: &BTreeMap<Shape, usize>,
    whole: Duration,
    products: Duration,
) -> TractResult<()> {
    println!("| products | weights | columns | f32 µs | int8 µs | to int8 µs | from int8 µs |");
    println!("|---|---|---|---|---|---|---|");
    let mut sums = [0.0; 3];
    for (&(m, k, n), &count) in shapes {
        let float = time(&float_product(m, k, n)?, f32::datum_type(), k, n)?;
        let whole = time(&int8_product(m, k, n)?, i8::datum_type(), k, n)?;
        let into = time(&turned(k, n, true)?, f32::datum_type(), k, n)?;
        let back = time(&turned(m, n, false)?, i8::datum_type(), m, n)?;
        println!("| {count} | {m}x{k} | {n} | {float:.1} | {whole:.1} | {into:.1} | {back:.1} |");
        let count = count as f64;
        sums[0] += count * float;
        sums[1] += count * whole;
        sums[2] += count * (into + back);
    }
    let [float, whole_int8, turning] = sums;
    let share = products.as_secs_f64() / whole.as_secs_f64();
    println!(
        "\nAll products: f32 {float:.0} µs, int8 {whole_int8:.0} µs; turning all into int8 and back {turning:.0} µs.\n\
         Products and packing take {:.0} % of the network: int8 saves at most {:.1} % of its time,\n\
         {:.1} % if each product's input and output are turned.",
        100.0 * share,
        100.0 * share * (1.0 - whole_int8 / float),
        100.0 * share * (1.0 - (whole_int8 + turning) / float)
    );
    Ok(())
}

/// µs of processor time for one run, packing of the input included: the least of
/// five series, since the machine may be busy with other things.
fn time(model: &TypedModel, dt: DatumType, k: usize, n: usize) -> TractResult<f64> {
    let plan = model.clone().into_runnable()?;
    let mut state = plan.spawn()?;
    let input: TValue = Tensor::zero_dt(dt, &[k, n])?.into();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut runs) = (meter::processor_time(), 0);
        while meter::processor_time() - start < ENOUGH / 5 {
            for _ in 0..8 {
                state.run(tvec!(input.clone()))?;
            }
            runs += 8;
        }
        best = best.min((meter::processor_time() - start).as_secs_f64() * 1e6 / f64::from(runs));
    }
    Ok(best)
}

/// Weights [m, k] times a picture [k, n] and a bias for each row, in f32.
fn float_product(m: usize, k: usize, n: usize) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let picture = model.add_source("picture", f32::fact([k, n]))?;
    let weights = model.add_const("weights", Tensor::zero::<f32>(&[m, k])?)?;
    let bias = model.add_const("bias", Tensor::zero::<f32>(&[m, 1])?)?;
    let product = EinSum::new("mk,kn->mn".parse()?, f32::datum_type());
    let product = model.wire_node("product", product, &[weights, picture])?;
    let sum = model.wire_node("sum", math::add(), &[product[0], bias])?;
    model.select_output_outlets(&sum)?;
    let model = model.into_optimized()?;
    fused(&model, "f32")?;
    Ok(model)
}

/// The same in int8: sums in i32, a bias, one scale, bounds, int8 again.
fn int8_product(m: usize, k: usize, n: usize) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let picture = model.add_source("picture", i8::fact([k, n]))?;
    let weights = model.add_const("weights", Tensor::zero::<i8>(&[m, k])?)?;
    let bias = model.add_const("bias", Tensor::zero::<i32>(&[m, 1])?)?;
    let product = EinSum::new("mk,kn->mn".parse()?, i32::datum_type());
    let product = model.wire_node("product", product, &[weights, picture])?;
    let sum = model.wire_node("sum", math::add(), &[product[0], bias])?;
    let scaler = Scaler::new(0.0123, RoundingPolicy::Even);
    let scale = ElementWiseOp(Box::new(QScale { scaler }), None);
    let scaled = model.wire_node("scale", scale, &sum)?;
    let least = model.add_const("least", tensor2(&[[-127i32]]))?;
    let most = model.add_const("most", tensor2(&[[127i32]]))?;
    let low = model.wire_node("low", math::max(), &[scaled[0], least])?;
    let high = model.wire_node("high", math::min(), &[low[0], most])?;
    let small = model.wire_node("small", cast::cast(i8::datum_type()), &high)?;
    model.select_output_outlets(&small)?;
    let model = model.into_optimized()?;
    fused(&model, "int8")?;
    Ok(model)
}

/// Says so if something of the epilogue is not in the product: then the time told
/// is not that of a fused one.
fn fused(model: &TypedModel, what: &str) -> TractResult<()> {
    let known = ["Source", "Const", "OptMatMulPack", "OptMatMul"];
    let others: Vec<String> = model
        .nodes
        .iter()
        .map(|node| node.op().name().to_string())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    ensure!(
        others.is_empty(),
        "the {what} product is not fused: {others:?} are left"
    );
    Ok(())
}

/// From f32 to int8, or back.
fn turned(rows: usize, columns: usize, into: bool) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let dt = if into {
        f32::datum_type()
    } else {
        i8::datum_type()
    };
    let picture = model.add_source("picture", dt.fact([rows, columns]))?;
    let turned = if into {
        model.wire_node("turned", quant::quantize_linear_i8(10.0, 0), &[picture])?
    } else {
        let op = quant::DequantizeLinearF32 {
            scale: 0.1,
            zero_point: 0,
        };
        model.wire_node("turned", op, &[picture])?
    };
    model.select_output_outlets(&turned)?;
    model.into_optimized()
}
