//! The picture as SVG.

use std::fmt::Write;

use isis_core::ids::Class;

use super::layout::Layout;
use super::picture::{Kind, Picture, letter};

/// Pixels between columns, between rows, and around.
const COLUMN: usize = 196;
const ROW: usize = 22;
const TOP: usize = 64;
const MARGIN: usize = 16;
const LEGEND: usize = 44;

/// From the left edge of a column's bands to its line.
const LINE: usize = 44;
/// The width of a column's bands.
const BANDS: usize = 180;

const RED: &str = "#c62828";
const GREY: &str = "#777777";

/// One hue per group; a group's views are light and less light in turn.
const GROUPS: [&str; 6] = [
    "#4c78a8", "#e39c37", "#54a24b", "#b279a2", "#9d755d", "#439894",
];

fn colour(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Bcast => ("BCAST", "#1f5fbf"),
        Class::Obcast => ("OBCAST", "#1a8a3a"),
        Class::Gbcast => ("GBCAST", "#a03fb5"),
    }
}

const CLASSES: [Class; 3] = [Class::Bcast, Class::Obcast, Class::Gbcast];

struct Svg<'a> {
    picture: &'a Picture,
    layout: &'a Layout,
    text: String,
}

/// Draws it.
pub fn svg(picture: &Picture, layout: &Layout) -> String {
    let width = 2 * MARGIN + COLUMN * picture.processes.len().max(3);
    let height = TOP + ROW * (layout.height + 1) + LEGEND;
    let mut svg = Svg {
        picture,
        layout,
        text: String::new(),
    };
    svg.head(width, height);
    svg.bands();
    svg.lines();
    svg.arrows();
    svg.marks();
    svg.legend(height);
    svg.text += "</svg>\n";
    svg.text
}

/// Text between tags.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl Svg<'_> {
    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{element}");
    }

    fn words(&mut self, x: usize, y: usize, style: &str, text: &str) {
        let text = plain(text);
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" {style}>{text}</text>"
        ));
    }

    fn x(&self, column: usize) -> usize {
        MARGIN + column * COLUMN + LINE
    }

    fn y(&self, event: usize) -> usize {
        TOP + ROW * self.layout.rows[event] + ROW / 2
    }

    fn head(&mut self, width: usize, height: usize) {
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" \
             font-size=\"11\">"
        ));
        self.put(format_args!(
            "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
        ));
        for class in CLASSES {
            let (name, colour) = colour(class);
            self.put(format_args!(
                "<marker id=\"{name}\" markerWidth=\"9\" markerHeight=\"8\" refX=\"11\" refY=\"4\" \
                 orient=\"auto\" markerUnits=\"userSpaceOnUse\"><path d=\"M0,0 L9,4 L0,8 z\" \
                 fill=\"{colour}\"/></marker>"
            ));
        }
        for (column, process) in self.picture.processes.iter().enumerate() {
            let x = self.x(column) - LINE;
            let title = format!(
                "{}  p{} at site {}",
                letter(column),
                process.index,
                process.site.id
            );
            self.words(x, 24, "font-size=\"14\" font-weight=\"bold\"", &title);
            let incarnation = format!("incarnation {}", process.site.incarnation.0);
            self.words(
                x,
                40,
                &format!("fill=\"{GREY}\" font-size=\"9\""),
                &incarnation,
            );
        }
    }

    /// Each column has a band per group, from each view to the next.
    fn bands(&mut self) {
        let groups = self.picture.groups.len().max(1);
        let width = BANDS / groups;
        for column in 0..self.picture.processes.len() {
            let end = self.last(column);
            for group in 0..groups {
                let mut open: Option<(usize, u64)> = None;
                for (i, event) in self.picture.events.iter().enumerate() {
                    let next = match event.kind {
                        _ if event.column != column => continue,
                        Kind::View { key: (g, n), .. } if g == group => Some((self.y(i), n)),
                        Kind::Left { key: (g, _) } if g == group => None,
                        _ => continue,
                    };
                    self.band(column, group * width, width, open, self.y(i), group);
                    open = next;
                }
                self.band(column, group * width, width, open, end, group);
            }
        }
    }

    fn band(
        &mut self,
        column: usize,
        left: usize,
        width: usize,
        from: Option<(usize, u64)>,
        to: usize,
        group: usize,
    ) {
        let Some((y, number)) = from else { return };
        let (x, height) = (self.x(column) - LINE + left, to.saturating_sub(y));
        let fill = GROUPS[group % GROUPS.len()];
        let opacity = if number % 2 == 0 { "0.26" } else { "0.13" };
        self.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\" \
             fill-opacity=\"{opacity}\"/>"
        ));
    }

    /// Where the line of a column ends.
    fn last(&self, column: usize) -> usize {
        let mine =
            (0..self.picture.events.len()).filter(|i| self.picture.events[*i].column == column);
        let last = mine.map(|i| self.y(i)).max().unwrap_or(TOP);
        let over = self
            .picture
            .events
            .iter()
            .any(|e| e.column == column && matches!(e.kind, Kind::Crash | Kind::End));
        if over { last } else { last + ROW / 2 }
    }

    fn lines(&mut self) {
        for column in 0..self.picture.processes.len() {
            let (x, end) = (self.x(column), self.last(column));
            self.put(format_args!(
                "<line x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{end}\" stroke=\"#333333\" \
                 stroke-width=\"1.6\"/>"
            ));
        }
    }

    fn arrows(&mut self) {
        for message in &self.picture.messages {
            let Some(sent) = message.sent else { continue };
            let (name, colour) = colour(message.class);
            let from = self.picture.events[sent].column;
            for taken in &message.taken {
                let to = self.picture.events[*taken].column;
                if to == from {
                    continue;
                }
                let (x1, y1) = (self.x(from), self.y(sent));
                let (x2, y2) = (self.x(to), self.y(*taken));
                self.put(format_args!(
                    "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" \
                     stroke-width=\"1.1\" stroke-opacity=\"0.75\" marker-end=\"url(#{name})\"/>"
                ));
            }
        }
    }

    fn marks(&mut self) {
        let sends: Vec<usize> = self
            .picture
            .messages
            .iter()
            .filter_map(|m| m.sent)
            .collect();
        let leftward = self.leftward();
        for (i, event) in self.picture.events.iter().enumerate() {
            let (x, y) = (self.x(event.column), self.y(i));
            let fill = self.mark(event.kind, x, y, sends.contains(&i));
            let bold = matches!(
                event.kind,
                Kind::View { .. } | Kind::Left { .. } | Kind::Crash
            );
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            // A white edge, for arrows pass behind.
            let style = format!(
                "fill=\"{fill}\"{weight} font-size=\"10\" stroke=\"#ffffff\" stroke-width=\"3\" \
                 stroke-linejoin=\"round\" stroke-opacity=\"0.85\" paint-order=\"stroke\""
            );
            let (x, y, side) = match event.kind {
                // The arrows go to the right and down.
                Kind::Message(_) if sends.contains(&i) => (x + 8, y - 4, ""),
                Kind::Message(_) if leftward.contains(&i) => (x - 8, y + 4, "text-anchor=\"end\" "),
                _ => (x + 9, y + 4, ""),
            };
            self.words(x, y, &format!("{side}{style}"), &event.text);
        }
    }

    /// Deliveries whose arrow comes from a column to the right: their text stands on the left.
    fn leftward(&self) -> Vec<usize> {
        let column = |event: usize| self.picture.events[event].column;
        let mut found = Vec::new();
        for message in &self.picture.messages {
            if let Some(sent) = message.sent {
                let taken = message.taken.iter().copied();
                found.extend(taken.filter(|taken| column(*taken) < column(sent)));
            }
        }
        found
    }

    /// Draws the mark of an event; the colour of its text.
    fn mark(&mut self, kind: Kind, x: usize, y: usize, sent: bool) -> &'static str {
        match kind {
            Kind::Message(class) => {
                let (_, colour) = colour(class);
                let inside = if sent { colour } else { "#ffffff" };
                self.put(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"{inside}\" stroke=\"{colour}\" \
                     stroke-width=\"1.6\"/>"
                ));
                colour
            }
            Kind::View { failure, .. } => {
                self.bar(x, y, "2.4");
                if failure { RED } else { "#222222" }
            }
            Kind::Left { .. } => {
                self.bar(x, y, "2.4");
                "#222222"
            }
            Kind::SiteView { failure, .. } => {
                self.bar(x, y, "1");
                if failure { RED } else { GREY }
            }
            Kind::Crash => {
                let (l, r, t, b) = (x - 6, x + 6, y - 6, y + 6);
                self.put(format_args!(
                    "<path d=\"M{l},{t} L{r},{b} M{l},{b} L{r},{t}\" stroke=\"{RED}\" \
                     stroke-width=\"3\"/>"
                ));
                RED
            }
            Kind::End => {
                self.bar(x, y, "1.6");
                GREY
            }
            Kind::Note => {
                self.put(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"2\" fill=\"{GREY}\"/>"
                ));
                GREY
            }
        }
    }

    fn bar(&mut self, x: usize, y: usize, stroke: &str) {
        let (left, right) = (x - 6, x + 6);
        self.put(format_args!(
            "<line x1=\"{left}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#333333\" \
             stroke-width=\"{stroke}\"/>"
        ));
    }

    fn legend(&mut self, height: usize) {
        let y = height - LEGEND / 2;
        let mut x = MARGIN;
        for class in CLASSES {
            let (name, colour) = colour(class);
            let end = x + 34;
            self.put(format_args!(
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{colour}\" \
                 stroke-width=\"1.4\" marker-end=\"url(#{name})\"/>"
            ));
            self.words(end + 6, y + 4, &format!("fill=\"{colour}\""), name);
            x += 100;
        }
        let said = "full: sent, open: taken; band: group view; \u{2715}: killed; downwards: what came before";
        self.words(x + 10, y + 4, &format!("fill=\"{GREY}\""), said);
    }
}
