//! Figures of several runs: median and range.

use std::fmt;

/// What was measured, in the order in which it first was.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

struct Figure {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Figures {
    /// One more value.
    pub fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        println!("  {name}: {} {unit}", number(value));
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure {
                name: name.to_owned(),
                unit,
                values: vec![value],
            }),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|figure| {
            let mut values = figure.values.clone();
            values.sort_by(f64::total_cmp);
            let (least, most) = (values[0], values[values.len() - 1]);
            writeln!(
                f,
                "{:<54} {:>10} {} ({} to {})",
                figure.name,
                number(values[values.len() / 2]),
                figure.unit,
                number(least),
                number(most)
            )
        })
    }
}

/// Three digits at least; more are noise.
fn number(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let mut figures = Figures::default();
        for value in [300.0, 1.0, 20.0] {
            figures.add("rate", value, "x");
        }
        assert!(figures.to_string().contains("20.0 x (1.0 to 300)"));
    }
}
