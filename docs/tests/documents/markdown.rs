//! The links and anchors of a Markdown text.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Attributes of HTML that refer to a file.
const ATTRIBUTES: [&str; 3] = ["href=\"", "src=\"", "srcset=\""];

pub(super) struct Document {
    /// What links and images refer to.
    pub(super) links: Vec<String>,
    /// The anchors of the headings, as GitHub names them.
    pub(super) anchors: HashSet<String>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut document = Self {
            links: Vec::new(),
            anchors: HashSet::new(),
        };
        let mut heading: Option<String> = None;
        let mut same = HashMap::<String, usize>::new();
        for event in Parser::new_ext(text, options) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    document.links.extend(links_in_html(&html));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let count = same.entry(anchor.clone()).or_default();
                    document.anchors.insert(match *count {
                        0 => anchor,
                        count => format!("{anchor}-{count}"),
                    });
                    *count += 1;
                }
                _ => (),
            }
        }
        document
    }
}

fn links_in_html(html: &str) -> impl Iterator<Item = String> {
    let values = ATTRIBUTES.iter().flat_map(|name| html.split(name).skip(1));
    values.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
}

/// Returns the anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let lower = heading.trim().to_lowercase();
    lower
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn links_and_anchors_of_a_text_are_found() {
    let text = "# A `b` (c)?\n\n## Same\n\n## Same\n\n[one](a.md#x) ![two](b.svg) [three][3]\n\n\
                <picture><source srcset=\"c.svg\"><img src=\"d.svg\"></picture>\n\n\
                ```text\n[no](link)\n```\n\n[3]: e.md\n";
    let document = Document::parse(text);
    assert_eq!(
        document.links,
        ["a.md#x", "b.svg", "e.md", "c.svg", "d.svg"]
    );
    let anchors = ["a-b-c", "same", "same-1"].map(str::to_owned);
    assert_eq!(document.anchors, HashSet::from(anchors));
}
