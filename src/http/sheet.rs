//! Tables as CSV (RFC 4180): one page of rows, safe to be opened in a spreadsheet.
//!
//! A cell that begins like a formula is run by spreadsheets, whoever wrote it: text of others gets an apostrophe before it.

use std::borrow::Cow;

use bytes::Bytes;
use csv::{Terminator, Writer, WriterBuilder};
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use tokio::task::yield_now;
use utoipa::IntoResponses;

use super::page::Asked;
use super::problem::{Code, Problem};
use super::query;
use super::request::Request;
use super::response::{self, Response};
use crate::archive::EXPORT_MAX;
use crate::domain::time::Millis;

/// What a spreadsheet takes for the beginning of a formula, or skips before one; the last four are full-width forms.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Rows written in one go: this core has buyers to serve.
const ROWS_AT_ONCE: usize = 100;

/// One value.
pub(crate) enum Cell<'a> {
    /// Whatever somebody chose.
    Text(Cow<'a, str>),
    /// A word or id of ours.
    Word(Cow<'a, str>),
    Number(i64),
    Time(Millis),
    Empty,
}

/// The rows of one page.
pub(crate) struct Sheet {
    lines: Writer<Vec<u8>>,
    rows: usize,
}

/// A page as the document describes it.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "A page, RFC 4180.",
    content_type = "text/csv",
    headers(
        ("Link" = String, description = "The next page, if there is one."),
        ("Content-Disposition" = String, description = "A name for the file."),
    )
)]
#[expect(dead_code, reason = "it only stands for what `Sheet` writes")]
pub(crate) struct SheetPage(String);

impl Sheet {
    /// A sheet that begins with the names of its columns, or one that goes on where the last page ended.
    pub(crate) fn new(asked: &Asked, columns: &[&'static str]) -> Result<Self, Problem> {
        let lines = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut sheet = Self { lines, rows: 0 };
        if asked.cursor.is_none() {
            sheet.line(columns.iter().map(|name| Cell::Word(Cow::Borrowed(*name))))?;
        }
        Ok(sheet)
    }

    /// Adds a row, and now and then lets others go on first.
    pub(crate) async fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<(), Problem> {
        self.line(cells)?;
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_AT_ONCE) {
            yield_now().await;
        }
        Ok(())
    }

    fn line<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<(), Problem> {
        self.lines.write_record(cells.into_iter().map(|cell| cell.shown().into_owned())).map_err(fault)
    }

    /// The page; `next` is the cursor of the one after it.
    pub(crate) fn answer(
        self,
        request: &Request,
        asked: &Asked,
        next: Option<String>,
    ) -> Result<Response, Problem> {
        let body = self.lines.into_inner().map_err(|error| fault(error.into_error()))?;
        let mut answer = response::json_bytes(StatusCode::OK, Bytes::from(body));
        let header = if asked.cursor.is_none() { "present" } else { "absent" };
        response::set(&mut answer, CONTENT_TYPE, format!("text/csv; charset=utf-8; header={header}"));
        let (path, file) = request.route.rsplit_once('/').unwrap_or_default();
        let name = format!("attachment; filename=\"{}-{file}\"", request.id);
        response::set(&mut answer, CONTENT_DISPOSITION, name);
        if let Some(next) = next {
            let path = path.replace("{id}", &request.id);
            let link = format!("<{path}/{file}?limit={}&cursor={next}>; rel=\"next\"", asked.limit);
            response::set(&mut answer, LINK, link);
        }
        Ok(answer)
    }
}

/// Reads `limit` (1 to 10,000, which is the default too) and `cursor`.
pub(crate) fn asked(request: &Request) -> Result<Asked, Problem> {
    let limit = query::parameter(request, "limit")?.map_or(Some(EXPORT_MAX), |text| text.parse().ok());
    let limit = limit.filter(|limit| (1..=EXPORT_MAX).contains(limit));
    let limit = limit.ok_or_else(|| Problem::field("limit", "Expected an integer from 1 to 10000."))?;
    Ok(Asked { limit, cursor: query::parameter(request, "cursor")? })
}

impl<'a> Cell<'a> {
    /// A word or id of ours.
    pub(crate) fn word(value: &impl ToString) -> Self {
        Self::Word(Cow::Owned(value.to_string()))
    }

    fn shown(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) if text.starts_with(FORMULA) => Cow::Owned(format!("'{text}")),
            Self::Text(text) | Self::Word(text) => text,
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Time(time) => Cow::Owned(time.to_rfc3339()),
            Self::Empty => Cow::Borrowed(""),
        }
    }
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::caused(Code::Internal, error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn cells_are_quoted_as_they_must_be_and_run_nothing() {
        let asked = Asked { limit: 1, cursor: None };
        let mut sheet = Sheet::new(&asked, &["a", "b"]).unwrap();
        for text in ["=1+1", "+1", "-1", "@x", "＝x", "a\"b", "a,b", "가", "x=1"] {
            sheet.row([Cell::Text(text.into()), Cell::Number(-5)]).await.unwrap();
        }
        sheet.row([Cell::Empty, Cell::Time(Millis(0))]).await.unwrap();
        let text = String::from_utf8(sheet.lines.into_inner().unwrap()).unwrap();
        let expected = "a,b\r\n'=1+1,-5\r\n'+1,-5\r\n'-1,-5\r\n'@x,-5\r\n'＝x,-5\r\n\"a\"\"b\",-5\r\n\"a,b\",-5\r\n\
                        가,-5\r\nx=1,-5\r\n,1970-01-01T00:00:00.000Z\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_later_page_has_no_head() {
        let asked = Asked { limit: 1, cursor: Some("x".into()) };
        let sheet = Sheet::new(&asked, &["a", "b"]).unwrap();
        assert!(sheet.lines.into_inner().unwrap().is_empty());
    }

    #[tokio::test]
    async fn others_go_on_while_a_long_sheet_is_written() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let mut sheet = Sheet::new(&Asked { limit: EXPORT_MAX, cursor: None }, &["a"]).unwrap();
        for _ in 0..EXPORT_MAX {
            sheet.row([Cell::Empty]).await.unwrap();
        }
        other.abort();
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= EXPORT_MAX as usize / ROWS_AT_ONCE, "{turns}");
    }
}
