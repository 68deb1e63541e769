//! A stream of documents, cut at the lines between them (YAML 1.2.2 §9.2): each is read on its own, so
//! that what bounds one document does not bound their number.

/// The text of one document, with the comments and directives before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// The line that the text begins on, from 1.
    pub(super) first_line: usize,
    /// The line of the first word of the document itself.
    pub(super) line: usize,
}

/// Cuts `text`; comments and blank lines alone are no document.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = Lines { text, at: 0, line: 1 };
    std::iter::from_fn(move || rest.next_piece())
}

/// What is left of a stream.
struct Lines<'a> {
    text: &'a str,
    /// Where the next line begins.
    at: usize,
    /// The number of that line.
    line: usize,
}

/// What is in a line, as far as the ends of documents are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nothing, or a comment.
    Nothing,
    /// A directive, if it stands before a document.
    Directive,
    /// `---`; the flag says whether more follows on the line.
    Begin(bool),
    /// `...`.
    End,
    Other,
}

impl<'a> Lines<'a> {
    fn next_piece(&mut self) -> Option<Piece<'a>> {
        let (mut begin, mut first_line) = (self.at, self.line);
        // Where the document itself was seen to begin; `None` before that.
        let (mut marker, mut line, mut has_directive) = (None, None, false);
        while let Some(here) = self.peek() {
            match content(here) {
                Content::Begin(_) if marker.or(line).is_some() => break,
                Content::Begin(more) => {
                    marker = Some(self.line);
                    line = more.then_some(self.line);
                }
                Content::End => {
                    self.advance(here);
                    if marker.or(line).is_some() || has_directive {
                        break;
                    }
                    (begin, first_line) = (self.at, self.line);
                    continue;
                }
                Content::Directive if marker.or(line).is_none() => has_directive = true,
                Content::Nothing => {}
                Content::Directive | Content::Other => line = line.or(Some(self.line)),
            }
            self.advance(here);
        }
        if marker.or(line).is_none() && !has_directive {
            return None;
        }
        let line = line.or(marker).unwrap_or(first_line);
        Some(Piece { text: &self.text[begin..self.at], first_line, line })
    }

    /// The next line with what ends it.
    fn peek(&self) -> Option<&'a str> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest
            .find(['\n', '\r'])
            .map_or(rest.len(), |at| at + if rest[at..].starts_with("\r\n") { 2 } else { 1 });
        Some(&rest[..end])
    }

    fn advance(&mut self, line: &str) {
        self.at += line.len();
        self.line += 1;
    }
}

fn content(line: &str) -> Content {
    let line = line.trim_start_matches('\u{feff}');
    let after = |marker: &str| {
        line.strip_prefix(marker)
            .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
    };
    let is_empty = |text: &str| text.is_empty() || text.starts_with('#');
    if let Some(rest) = after("---") {
        return Content::Begin(!is_empty(rest.trim()));
    }
    if after("...").is_some() {
        return Content::End;
    }
    match line.trim() {
        text if is_empty(text) => Content::Nothing,
        _ if line.starts_with('%') => Content::Directive,
        _ => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(&str, usize, usize)> {
        pieces(text).map(|piece| (piece.text, piece.first_line, piece.line)).collect()
    }

    #[test]
    fn documents_are_cut_where_they_begin_and_end() {
        assert_eq!(cut(""), []);
        assert_eq!(cut("# nothing\n\n"), []);
        assert_eq!(cut("...\n...\n"), []);
        assert_eq!(cut("a: 1"), [("a: 1", 1, 1)]);
        assert_eq!(
            cut("# one\n\na: 1\n---\nb: 2\n"),
            [("# one\n\na: 1\n", 1, 3), ("---\nb: 2\n", 4, 5)]
        );
        assert_eq!(cut("--- {a: 1}\n---\n"), [("--- {a: 1}\n", 1, 1), ("---\n", 2, 2)]);
        assert_eq!(
            cut("a: 1\n...\n# c\n%YAML 1.2\n---\nb: 2"),
            [("a: 1\n...\n", 1, 1), ("# c\n%YAML 1.2\n---\nb: 2", 3, 6)]
        );
        assert_eq!(cut("%YAML 1.2\n"), [("%YAML 1.2\n", 1, 1)]);
    }

    #[test]
    fn every_end_of_a_line_counts_and_only_whole_markers_do() {
        assert_eq!(cut("a: 1\r\n---\r\nb: 2"), [("a: 1\r\n", 1, 1), ("---\r\nb: 2", 2, 3)]);
        assert_eq!(cut("a: 1\r---\rb: 2"), [("a: 1\r", 1, 1), ("---\rb: 2", 2, 3)]);
        assert_eq!(cut("\u{feff}---\na: 1\n---\nb: 2").len(), 2);
        for one in ["a: |\n  ---\n  b", "---a: 1", "a:\n ---\n", "a: 1\n----\n", "....\na: 1"] {
            assert_eq!(cut(one).len(), 1, "{one:?}");
        }
    }
}
