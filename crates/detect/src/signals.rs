//! Signs that a text speaks to the model: hidden characters, orders, tool descriptions that steer.
//!
//! `Ignore all previous instructions and …` is one; `ignore the warning` is none.
//!
//! Must not know: where the text came from. Whether a sign matters, rules say.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::Regex;

use crate::bytes::{slice, word_starts};
use crate::finding::{HIDDEN_TEXT, INSTRUCTIONS, TOOL_POISONING};
use crate::page::Page;

/// Bytes of a phrase that are looked at.
const PHRASE_BYTES_MAX: usize = 240;

/// One way to speak to a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phrase {
    /// What it is a sign of.
    pub(crate) sign: &'static str,
    /// What it begins with, in lower case.
    pub(crate) begins: &'static [&'static str],
    /// What must follow, as a regular expression; empty where nothing must.
    pub(crate) follows: &'static str,
}

const fn order(begins: &'static [&'static str], follows: &'static str) -> Phrase {
    Phrase {
        sign: INSTRUCTIONS,
        begins,
        follows,
    }
}

const fn poison(begins: &'static [&'static str], follows: &'static str) -> Phrase {
    Phrase {
        sign: TOOL_POISONING,
        begins,
        follows,
    }
}

const fn hidden(begins: &'static [&'static str], follows: &'static str) -> Phrase {
    Phrase {
        sign: HIDDEN_TEXT,
        begins,
        follows,
    }
}

/// Phrases; `follows` is matched in any letter case from where `begins` ends.
#[rustfmt::skip]
pub(crate) const PHRASES: &[Phrase] = &[
    order(
        &["ignore ", "disregard ", "forget ", "override ", "bypass ", "overlook ", "do not follow ", "don't follow ", "stop following "],
        r"(?:(?:all|any|every|everything|the|your|of|my|these|those|and|other|what|that|in|from|our|its)\s+){0,5}(?:previous|prior|above|earlier|preceding|foregoing|system|initial|original|former|existing|past|current|before|safety|security|you were told|you have been told)\b[^.\n]{0,30}?(?:instruction|prompt|rule|direction|context|message|guideline|command|text|request|order|task|policy|policies|told|said|conversation|restriction|constraint|content|programming|training|input)",
    ),
    order(&["ignore ", "disregard ", "forget "], r"(?:all |any |the |your |my )*(?:instructions|everything (?:you|above|before|i)|(?:the |your )?user'?s? (?:request|instruction|prompt|query|task)|your (?:rules|guidelines|instructions|programming|training|system prompt))"),
    order(&["<information>", "<system>", "<<sys>>", "<|im_start|>", "<|system|>", "<|user|>", "<|assistant|>", "<|start_header_id|>", "[inst]", "[system]", "<instructions>", "<instruction>", "[/inst]", "<system_prompt>", "<admin>", "<system-reminder>", "<user_instructions>", "[system message]", "[system note", "{{system}}", "<developer>"], ""),
    order(&["### system", "## system", "### instruction", "### new instruction", "#system:", "system override", "system prompt override", "system instruction:", "system instructions:", "system message:", "new instruction:", "new instructions:", "new system prompt", "updated instructions:", "priority instruction", "admin override", "begin new instructions", "end of instructions", "hidden instruction", "secret instruction", "important instructions:", "important instruction:"], ""),
    order(&["important message from me", "before you can solve the task", "please do the following first", "before you do that, please", "after you do that, you can solve", "before solving the task", "before you continue with the task", "do only the following", "do the following instead", "instead, do the following", "you must do the following", "prior to answering the user", "before responding to the user", "before answering the user", "before you respond to the user", "before you answer the user"], ""),
    order(&["you must ", "you should ", "you need to ", "you have to ", "you are required to ", "you will ", "you shall "], r"(?:(?:now|first|immediately|instead|always|also|only|please|then)[ ,]+){1,3}(?:call|invoke|execute|send|forward|transfer|email|e-mail|upload|post|delete|use the|run the|ignore|disregard|obey|reveal|output|print)\b"),
    order(&["you must "], r"(?:call|invoke|execute|use|run) (?:the |this |a )?[`']?[a-z0-9_]+[`']? (?:tool|function|api)\b"),
    order(&["your new ", "your real ", "your true ", "your only ", "your actual ", "your updated "], r"(?:task|instruction|role|objective|goal|mission|directive|purpose|job|system prompt|persona)\b"),
    order(&["you are now ", "from now on", "from this point on", "henceforth"], r"[, ]*(?:you (?:will|must|are|should|shall|have|can|only|act|respond)|(?:dan|developer mode|jailbroken|unrestricted|free from|in (?:developer|debug|god|dan|maintenance|admin) mode|operating|acting|a different|going to act|an? (?:unrestricted|evil|uncensored|malicious|different)))\b"),
    order(&["as an ai", "dear ai", "hey ai", "hello ai", "attention ai", "attention all ai", "attention: ai", "attention, ai", "note to ai", "note to the ai", "message to ai", "message for ai", "message to the ai", "message for the ai", "instruction to ai", "instructions to ai", "instructions for ai", "instruction for ai", "instruction for the ai", "instructions for the ai", "directive for ai", "ai agents: ", "ai assistants: "], r"(?:[,:!. ]|\b)[ ,]*(?:language model|assistant|agent|model|system|bot|llm|reader|chatbot|crawler|s\b|you|please|reading|:|,|must|should|ignore|when)"),
    order(&["attention ", "attention: ", "note to ", "note for ", "message for ", "message to ", "dear ", "hey ", "instructions for ", "instruction for ", "instructions to ", "notice to ", "reminder to ", "to any ", "to all ", "to the "], r"(?:the |any |all |every |this |our )?(?:llms?|language models?|ai (?:assistants?|agents?|models?|systems?)|chat ?bots?|chatgpt|claude|gpt-?[0-9o]*|gemini|assistant (?:reading|processing)|(?:assistant|agent|model)\s*[:!,])"),
    order(&["if you are ", "if you're "], r"(?:an? |the )?(?:ai\b|llm|large language model|language model|automated (?:agent|assistant)|chatbot|ai assistant|assistant reading)"),
    order(&["do not ", "don't ", "never ", "without ", "avoid "], r"(?:ever )?(?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing|let|letting|ask|asking|warn|warning|show|showing|report|reporting)(?: (?:this|that|it|any of this|anything|about this|about it))?(?: (?:to|about))?(?: (?:this|it))?(?: to)? (?:the |your |any |our )?(?:user|users|human|customer|owner|operator|person)\b"),
    order(&["reveal ", "print ", "repeat ", "show ", "output ", "leak ", "display ", "tell me ", "give me ", "share ", "send "], r"(?:me |us |all |out |of |the |back |verbatim ){0,4}(?:your |the )(?:full |entire |complete |hidden |original |initial |exact |own )*(?:system prompt|system message|system instructions?|initial prompt|initial instructions|hidden instructions|prompt above|instructions above|secret instructions|developer message|words above)"),
    order(&["ignore the user", "disobey ", "jailbreak", "do anything now", "developer mode enabled", "dan mode", "prompt injection payload", "you have been hacked", "this overrides all", "this overrides any", "this overrides previous", "this overrides your", "supersedes all previous", "overrides all previous", "override all previous", "takes precedence over all", "takes precedence over any", "highest priority instruction", "this is a system message", "this is a message from the system", "this is an automated system", "this is your developer", "this is your creator", "this is your administrator", "message from your developer", "message from your administrator", "message from openai", "message from anthropic", "i am your developer", "i am your administrator", "i am your creator", "as your administrator, ", "as your developer, ", "authorized by openai", "authorized by anthropic"], ""),
    order(&["the user ", "user "], r"(?:has |have |already |also |explicitly |previously |hereby ){0,3}(?:authoriz|authoris|approved|consented|requested that you|wants you to|asked you to|instructed you)"),
    order(&["to complete ", "to finish ", "in order to ", "to continue"], r"[^.\n]{0,60}(?:you must|you need to|you have to|please) (?:first )?(?:call|invoke|execute|send|forward|transfer|email|share)\b"),
    order(&["ai assistant", "ai agent", "the llm", "the language model"], r"s? (?:must|is required to|shall|is instructed to|is hereby|needs to|has to|should (?:now|immediately|always|first|also|ignore))\b"),
    order(&["todo: ", "task: "], r"(?:please )?(?:send|email|e-mail|transfer|forward|share|invite|pay|wire|upload|post)\b[^\n]{0,200}?(?:@|https?://|www\.|\bto [A-Z]{2}[0-9]{6}|without asking)"),
    order(&["important!!!", "urgent system", "important: this message is intended", "this message is intended for the ai", "injected instruction"], ""),

    poison(&["before using this tool", "before calling this tool", "before invoking this tool", "before executing this tool", "before you use this tool", "before any other tool", "before using any", "before calling any", "before invoking any", "before executing any"], r"(?:\b)[^\n]{0,160}?(?:read|call|access|send|list|provide|check|fetch|include|pass|run|execute|load|first)"),
    poison(&["this tool ", "this function ", "the tool "], r"(?:must|has to|needs to|should|shall) (?:always )?(?:be )?(?:called|used|invoked|run|executed|preferred|prioriti[sz]ed|chosen)(?: (?:first|always|before|instead|over|whenever|in place)| for (?:all|any|every)| on every)"),
    poison(&["always "], r"(?:call|use|invoke|run|execute|prefer|choose|select) (?:this|the above) (?:tool|function|one)\b"),
    poison(&["instead of ", "rather than ", "in place of ", "over "], r"(?:the |any |all |using |calling |using the |calling the )*(?:real|original|other|official|legitimate|built-in|existing|alternative|competing)\s+(?:[a-z_]+\s+)?(?:tool|function|server)s?"),
    poison(&["~/.ssh", "id_rsa", "id_ed25519", "~/.cursor", "mcp.json", "claude_desktop_config", "~/.aws/credentials", "/etc/shadow", "~/.env", "~/.config/gcloud", "~/.kube/config", "~/.netrc"], r"[^\n]{0,120}?(?:and |then |as |\(|pass|send|content|include|parameter|argument|into|otherwise)"),
    poison(&["read ", "cat ", "open ", "load ", "access ", "retrieve ", "include ", "send ", "upload ", "attach "], r"(?:the |all |any |file |files |contents? of |content of |first )*[`'\x22]?(?:~/\.ssh|~/\.cursor|~/\.aws|~/\.env|/etc/passwd|/etc/shadow|[~./a-z]*id_rsa|[~./a-z]*mcp\.json|\.env\b|/root/|/home/[a-z<>{}]+/\.ssh)"),
    poison(&["<important>", "[important]", "<hidden>", "<secret>", "<critical>", "<tool_instructions>", "<requirement>"], ""),
    poison(&["pass its content", "pass the content", "pass their content", "provide its content", "put its content", "include its content"], r""),
    poison(&["otherwise the tool will not work", "otherwise this tool will not work", "else the tool will not work", "or the tool will not work", "the application will crash", "tool will not function", "mcp server will crash", "required for the tool to work, but"], ""),
    poison(&["the user does not need to know", "the user doesn't need to know", "do not mention that you", "not mention that you first", "hide this from the user", "keep this secret from", "keep this hidden from", "without the user's knowledge", "without user's knowledge", "without the user knowing", "user will get upset if"], ""),
    poison(&["silently ", "secretly "], r"(?:also )?(?:read|send|forward|copy|call|include|upload|bcc|log|exfiltrate|collect)\b[^\n]{0,60}?(?:user|file|message|mail|key|token|password|conversation|data|content)"),
    poison(&["when this tool ", "whenever this tool ", "if this tool ", "when a tool ", "when the tool ", "whenever a "], r"[^\n]{0,60}?(?:is (?:available|present|installed|loaded|called|used|invoked)|send_[a-z]+)[^\n]{0,80}?(?:must|have to|need to|always|instead|redirect|change the recipient|attacker|bcc|also (?:send|call|forward))"),
    poison(&["ignore other tools", "ignore all other tools", "do not use any other tool", "do not use other tools", "don't use any other tool", "disable other tools", "other tools are deprecated", "other tools are broken", "never use any other tool", "avoid using other tools"], ""),
    poison(&["change the recipient", "replace the recipient", "redirect all ", "bcc all ", "forward all ", "forward every ", "send a copy of all", "send a copy of every", "copy all messages"], r"[^\n]{0,60}?(?:to |with )(?:the )?(?:number|address|phone|attacker|[^\s]*@|http|\+?[0-9]|following)"),

    hidden(&["<!--"], r"(?is)[^>]{0,200}?(?:\bai (?:assistant|agent|model)|assistant|llm|language model|ignore (?:all|previous|the)|system prompt|instructions? (?:for|to)|you must|\bagent[:,]|chatgpt|claude)"),
    hidden(&["font-size:0", "font-size: 0", "opacity:0", "opacity: 0", "display:none", "display: none", "visibility:hidden", "visibility: hidden", "color:white", "color: white", "color:#fff", "color: #fff", "text-indent:-9", "text-indent: -9", "left:-9999", "left: -9999", "font-size:1px", "font-size: 1px"], r"(?is).{0,220}?(?:ignore (?:all|any|previous|the)|\bai (?:assistant|agent|model)|\bllm\b|language model|system prompt|you must|instructions? (?:for|to)\b|\bassistant\b|do not tell)"),
];

/// A phrase whose expression is compiled when it is first needed.
#[derive(Debug)]
pub(crate) struct CompiledPhrase {
    phrase: &'static Phrase,
    follows: OnceLock<Option<Regex>>,
}

impl CompiledPhrase {
    pub(crate) const fn new(phrase: &'static Phrase) -> Self {
        Self {
            phrase,
            follows: OnceLock::new(),
        }
    }

    /// Notes the sign where the rest of the phrase follows.
    pub(crate) fn read(&self, page: &mut Page<'_>, hit: &Range<usize>) {
        let letter = slice(page.bytes, hit.start, hit.end)
            .first()
            .is_some_and(u8::is_ascii_alphabetic);
        if page.signs.contains(&self.phrase.sign) || letter && !word_starts(page.bytes, hit.start) {
            return;
        }
        let window = slice(page.bytes, hit.end, hit.end + PHRASE_BYTES_MAX);
        let follows = self
            .follows
            .get_or_init(|| compiled(self.phrase.follows).ok());
        if self.phrase.follows.is_empty()
            || follows
                .as_ref()
                .is_some_and(|follows| follows.is_match(window))
        {
            page.note(self.phrase.sign);
        }
    }
}

fn compiled(follows: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"(?i)\A(?:{follows})"))
}

/// Zero-width characters in a row that no script needs.
const INVISIBLE_RUN_MIN: usize = 3;

/// Whether a text has characters that nobody sees and that no script needs where they stand: tag
/// characters outside flags, direction overrides, zero-width characters inside Latin words or in
/// rows.
pub(crate) fn has_hidden(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let (mut before, mut zeros, mut in_flag) = (' ', 0, false);
    let mut joined = false;
    for c in text.chars() {
        match c {
            '\u{202d}' | '\u{202e}' => return true,
            '\u{e0020}'..='\u{e007f}' if in_flag => {}
            '\u{e0001}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}' => return true,
            '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' => {
                zeros += 1;
                joined |= before.is_ascii_alphanumeric();
            }
            _ => {
                if joined && c.is_ascii_alphanumeric() || zeros >= INVISIBLE_RUN_MIN {
                    return true;
                }
                (before, zeros, joined) = (c, 0, false);
                in_flag = c == '\u{1f3f4}';
            }
        }
    }
    zeros >= INVISIBLE_RUN_MIN
}

#[cfg(test)]
mod tests {
    use super::{PHRASES, compiled, has_hidden};

    #[test]
    fn every_phrase_compiles_and_is_in_lower_case() {
        for phrase in PHRASES {
            assert!(compiled(phrase.follows).is_ok(), "{:?}", phrase.begins);
            assert!(
                phrase
                    .begins
                    .iter()
                    .all(|text| text.to_lowercase() == *text)
            );
        }
    }

    #[test]
    fn what_scripts_and_flags_need_is_not_hidden() {
        for text in [
            "👩\u{200d}💻",
            "می\u{200c}خواهم",
            "🏴\u{e0067}\u{e0062}\u{e007f} flag",
            "\u{feff}start",
        ] {
            assert!(!has_hidden(text), "{text:?}");
        }
        for text in [
            "pay\u{200b}pal",
            "x\u{202e}gnp.exe",
            "hi\u{e0069}\u{e0067}",
            "a \u{200b}\u{200c}\u{200b}\u{200c} b",
        ] {
            assert!(has_hidden(text), "{text:?}");
        }
    }
}
