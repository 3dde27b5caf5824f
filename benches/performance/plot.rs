//! Plots as SVG.

use std::{error::Error, ops::Range, path::Path};

use plotters::{coord::ranged1d::AsRangedCoord, coord::ranged1d::ValueFormatter, prelude::*};

use crate::{
    Result,
    goal::{Axis, Plot},
};

/// Pixels.
const SIZE: (u32, u32) = (800, 420);

/// Writes each plot into the folder.
pub(crate) fn draw_all(plots: &[Plot], folder: &Path) -> Result<()> {
    for plot in plots {
        let path = folder.join(&plot.file);
        let points = || plot.lines.iter().flat_map(|(_, points)| points);
        let x = range(&plot.x, points().map(|point| point.0));
        let y = range(&plot.y, points().map(|point| point.1));
        let drawn = match (plot.x.logarithmic, plot.y.logarithmic) {
            (false, false) => draw(plot, &path, x, y),
            (true, false) => draw(plot, &path, x.log_scale(), y),
            (false, true) => draw(plot, &path, x, y.log_scale()),
            (true, true) => draw(plot, &path, x.log_scale(), y.log_scale()),
        };
        drawn.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// From 0, or from the least value where there is no 0.
fn range(axis: &Axis, values: impl Iterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return 1.0..10.0;
    }
    if axis.logarithmic { low..high * 1.2 } else { 0.0..high * 1.1 }
}

fn draw<X, Y>(plot: &Plot, path: &Path, x: X, y: Y) -> std::result::Result<(), Box<dyn Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area);
    let chart = chart.caption(&plot.title, ("sans-serif", 18)).margin(12);
    let mut chart = chart.x_label_area_size(40).y_label_area_size(70).build_cartesian_2d(x, y)?;
    chart.configure_mesh().x_desc(&plot.x.name).y_desc(&plot.y.name).light_line_style(WHITE).draw()?;
    for (number, (name, points)) in plot.lines.iter().enumerate() {
        let colour = Palette99::pick(number).stroke_width(2);
        let line = LineSeries::new(points.iter().copied(), colour).point_size(3);
        chart
            .draw_series(line)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    if plot.lines.len() > 1 {
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    }
    area.present()?;
    Ok(())
}
