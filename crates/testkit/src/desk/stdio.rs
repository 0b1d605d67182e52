//! The desk on standard streams: one JSON text a line, requests answered as they finish.
//!
//! A slow call does not hold up the next one. When the input ends, what is under way is finished
//! within a second, so that `refund-desk --stdio < requests` answers everything, and a desk whose
//! gate was killed lets its ledger go.
//!
//! Must not know: what a message means.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, FramedRead, LinesCodec, LinesCodecError};

use super::{Face, FaultKind, Reply};

/// LIMIT: a call may have 1 MiB; the line around it a little more.
const LINE_BYTES_MAX: usize = (1 << 20) + 4096;
/// LIMIT: calls at once; the next line is read when one of them is done.
const CALLS_MAX: usize = 1024;
/// LIMIT: how long an answer may take after the input ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Why the desk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The input ended.
    Input,
    /// A switch said so, in the middle of an answer or before one.
    Switch,
}

/// Serves until the input ends or a fault ends it.
pub(super) async fn serve(
    face: &Face,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<Ended> {
    let lines = LinesCodec::new_with_max_length(LINE_BYTES_MAX);
    let mut lines = FramedRead::new(input, BoundedLines(lines));
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(reply) = calls.next(), if !calls.is_empty() => {
                if write(&mut output, reply).await? == Ended::Switch {
                    return Ok(Ended::Switch);
                }
            }
            line = lines.next(), if calls.len() < CALLS_MAX => match line {
                Some(Ok(Line::Text(text))) if text.trim().is_empty() => {}
                Some(Ok(line)) => calls.push(answer(face, line)),
                Some(Err(error)) => return Err(error),
                None => break,
            },
        }
    }
    let drained = async {
        while let Some(reply) = calls.next().await {
            if write(&mut output, reply).await? == Ended::Switch {
                return Ok(Ended::Switch);
            }
        }
        Ok(Ended::Input)
    };
    tokio::time::timeout(DRAIN, drained)
        .await
        .unwrap_or(Ok(Ended::Input))
}

async fn answer(face: &Face, line: Line) -> Reply {
    match line {
        Line::Text(text) => face.answer(text.as_bytes(), None).await,
        Line::TooLong => Reply::too_long(LINE_BYTES_MAX),
    }
}

/// One line of input.
enum Line {
    Text(String),
    TooLong,
}

/// Lines of bounded length. One that is too long is skipped and said so; the stream goes on.
struct BoundedLines(LinesCodec);

impl Decoder for BoundedLines {
    type Item = Line;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        match self.0.decode(buffer) {
            Ok(line) => Ok(line.map(Line::Text)),
            Err(LinesCodecError::MaxLineLengthExceeded) => Ok(Some(Line::TooLong)),
            Err(LinesCodecError::Io(error)) => Err(error),
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        match self.0.decode_eof(buffer) {
            Ok(line) => Ok(line.map(Line::Text)),
            Err(LinesCodecError::MaxLineLengthExceeded) => Ok(Some(Line::TooLong)),
            Err(LinesCodecError::Io(error)) => Err(error),
        }
    }
}

/// Writes one reply with the damage that is due. `Input` means: go on.
async fn write(output: &mut (impl AsyncWrite + Unpin), reply: Reply) -> io::Result<Ended> {
    let Some(body) = reply.body else {
        return Ok(Ended::Input);
    };
    let half = body.len() / 2;
    let (text, ended) = match reply.damage {
        None => (format!("{body}\n"), Ended::Input),
        Some(FaultKind::Garbage) => ("this is not JSON\n".to_owned(), Ended::Input),
        Some(FaultKind::Cut) => (body.chars().take(half).collect(), Ended::Switch),
        Some(_) => (String::new(), Ended::Switch),
    };
    output.write_all(text.as_bytes()).await?;
    output.flush().await?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::{Ended, serve};
    use crate::desk::{Control, Desk, Face, KeyPolicy};
    use expect_test::{Expect, expect};

    async fn check(fault: Option<&str>, input: &str, expected: (Ended, Expect)) {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::open(&dir.path().join("ledger"), KeyPolicy::Ignore).unwrap();
        let face = Face::new(desk, Control::Hidden, 50);
        fault
            .into_iter()
            .for_each(|fault| face.switches().set(fault.parse().unwrap()));
        let mut output = Vec::new();
        let ended = serve(&face, input.as_bytes(), &mut output).await.unwrap();
        expected.1.assert_eq(&String::from_utf8(output).unwrap());
        assert_eq!(ended, expected.0);
    }

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_customer","arguments":{"customer":"cust_9"}}}"#;

    #[tokio::test]
    async fn each_line_is_answered_and_blank_ones_are_not() {
        check(
            None,
            &format!("{CALL}\n\nnonsense\n"),
            (Ended::Input, expect![[r#"
                {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"there is no customer `cust_9`"}],"isError":true}}
                {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"expected ident at line 1, column 2"}}
            "#]]),
        )
        .await;
    }

    #[tokio::test]
    async fn damage_is_done_to_the_stream() {
        let input = format!("{CALL}\n");
        check(Some("kind=drop"), &input, (Ended::Switch, expect![""])).await;
        check(Some("kind=exit"), &input, (Ended::Switch, expect![""])).await;
        let garbage = expect![[r"
            this is not JSON
        "]];
        check(Some("kind=garbage"), &input, (Ended::Input, garbage)).await;
        let half = expect![[r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text"#]];
        check(Some("kind=cut"), &input, (Ended::Switch, half)).await;
        check(Some("kind=hang"), &input, (Ended::Input, expect![""])).await;
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_refused_and_the_next_one_answered() {
        let long = "x".repeat(super::LINE_BYTES_MAX + 1);
        check(
            None,
            &format!("{long}\n{CALL}\n"),
            (Ended::Input, expect![[r#"
                {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message has more than 1052672 bytes"}}
                {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"there is no customer `cust_9`"}],"isError":true}}
            "#]]),
        )
        .await;
    }
}
