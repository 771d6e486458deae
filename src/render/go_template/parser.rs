//! From tokens to a tree. Decides what is a template at all: syntax, functions and variables that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions;
use super::lexer::{self, Keyword, Kind, Place, SyntaxError, Token};
use super::syntax::{Choice, Command, Node, Operand, Parsed, Pipeline, Range, Template, Term};
use super::value::Value;

/// Blocks and parentheses in each other.
const DEPTH_MAX: usize = 64;

/// # Errors
/// The first thing that is wrong with it.
pub fn parse(file: Option<&str>, source: &str) -> Result<Parsed, SyntaxError> {
    let file: Option<Arc<str>> = file.map(Into::into);
    let mut parser = Parser {
        tokens: lexer::tokens(source)?,
        at: 0,
        depth: 0,
        ranges: 0,
        variables: vec!["$".to_owned()],
        file,
        defined: BTreeMap::new(),
    };
    let mut body = Vec::new();
    if let Ended::At(place, keyword) = parser.block(&mut body, true)? {
        let message = format!("this `{keyword}` belongs to no `if`, `with`, `range`, `define` or `block`");
        return Err(SyntaxError { place, message });
    }
    Ok(Parsed { main: Arc::new(Template { file: parser.file, body }), defined: parser.defined })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// How many `range` are open here, for `break` and `continue`.
    ranges: usize,
    variables: Vec<String>,
    file: Option<Arc<str>>,
    defined: BTreeMap<String, Arc<Template>>,
}

/// What a list of nodes ended with.
enum Ended {
    Text,
    /// `end` or `else`, read so far.
    At(Place, Keyword),
}

type Parsing<T> = Result<T, SyntaxError>;

impl Parser {
    fn peek(&self) -> &Token {
        // The last token is the end, and nobody goes past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn skip_spaces(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn next_solid(&mut self) -> Token {
        self.skip_spaces();
        self.next()
    }

    fn fail<T>(place: Place, message: impl Into<String>) -> Parsing<T> {
        Err(SyntaxError { place, message: message.into() })
    }

    fn expect(&mut self, kind: &Kind, context: &str) -> Parsing<()> {
        let token = self.next_solid();
        match token.kind == *kind {
            true => Ok(()),
            false => Self::fail(token.place, format!("expected {kind} {context}, got {}", token.kind)),
        }
    }

    fn deeper(&mut self) -> Parsing<()> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Self::fail(self.peek().place, format!("more than {DEPTH_MAX} blocks or parentheses in each other")),
            false => Ok(()),
        }
    }

    /// Nodes up to `end`, `else` or the end of the text.
    fn block(&mut self, nodes: &mut Vec<Node>, may_define: bool) -> Parsing<Ended> {
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok(Ended::Text),
                Kind::Text(text) => nodes.push(Node::Text(text)),
                _ => {
                    self.skip_spaces();
                    let Kind::Keyword(keyword) = self.peek().kind else {
                        nodes.push(Node::Action(self.pipeline(&Kind::Close, "in an action")?));
                        continue;
                    };
                    let place = self.next().place;
                    match keyword {
                        Keyword::End | Keyword::Else => return Ok(Ended::At(place, keyword)),
                        Keyword::Define if !may_define => {
                            return Self::fail(place, "`define` must not stand inside of another block");
                        }
                        Keyword::Define => self.define(place)?,
                        _ => nodes.push(self.statement(place, keyword)?),
                    }
                }
            }
        }
    }

    fn statement(&mut self, place: Place, keyword: Keyword) -> Parsing<Node> {
        self.deeper()?;
        let known = self.variables.len();
        let node = match keyword {
            Keyword::If | Keyword::With => Node::Choice(self.choice(place, keyword)?),
            Keyword::Range => Node::Range(self.range(place)?),
            Keyword::Template => self.call(place)?,
            Keyword::Block => self.defining_call(place)?,
            _ => {
                self.expect(&Kind::Close, &format!("after `{keyword}`"))?;
                if self.ranges == 0 {
                    return Self::fail(place, format!("`{keyword}` outside of `range`"));
                }
                if keyword == Keyword::Break { Node::Break } else { Node::Continue }
            }
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(node)
    }

    fn choice(&mut self, place: Place, keyword: Keyword) -> Parsing<Choice> {
        let mut choice = Choice { is_with: keyword == Keyword::With, arms: Vec::new(), otherwise: Vec::new() };
        loop {
            let pipeline = self.pipeline(&Kind::Close, &format!("after `{keyword}`"))?;
            let mut body = Vec::new();
            let ended = self.scope(|parser| parser.block(&mut body, false))?;
            choice.arms.push((pipeline, body));
            if self.ended(place, keyword, &ended)? {
                return Ok(choice);
            }
            self.skip_spaces();
            if self.peek().kind == Kind::Keyword(keyword) {
                self.at += 1;
                continue;
            }
            self.otherwise(place, keyword, &mut choice.otherwise)?;
            return Ok(choice);
        }
    }

    fn range(&mut self, place: Place) -> Parsing<Range> {
        let pipeline = self.pipeline(&Kind::Close, "after `range`")?;
        let (mut body, mut otherwise) = (Vec::new(), Vec::new());
        self.ranges += 1;
        let ended = self.scope(|parser| parser.block(&mut body, false))?;
        self.ranges -= 1;
        if !self.ended(place, Keyword::Range, &ended)? {
            self.otherwise(place, Keyword::Range, &mut otherwise)?;
        }
        Ok(Range { pipeline, body, otherwise })
    }

    fn otherwise(&mut self, place: Place, keyword: Keyword, nodes: &mut Vec<Node>) -> Parsing<()> {
        self.expect(&Kind::Close, "after `else`")?;
        let ended = self.scope(|parser| parser.block(nodes, false))?;
        match self.ended(place, keyword, &ended)? {
            true => Ok(()),
            false => Self::fail(place, format!("this `{keyword}` has more than one `else`")),
        }
    }

    /// Whether the block is over; false after `else`.
    fn ended(&mut self, opened: Place, keyword: Keyword, ended: &Ended) -> Parsing<bool> {
        match ended {
            Ended::Text => Self::fail(opened, format!("this `{keyword}` has no `{{{{ end }}}}`")),
            Ended::At(_, Keyword::Else) => Ok(false),
            Ended::At(..) => {
                self.expect(&Kind::Close, "after `end`")?;
                Ok(true)
            }
        }
    }

    fn scope<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsing<T>) -> Parsing<T> {
        let known = self.variables.len();
        let parsed = parse(self);
        self.variables.truncate(known);
        parsed
    }

    fn template_name(&mut self, keyword: Keyword) -> Parsing<String> {
        let token = self.next_solid();
        match token.kind {
            Kind::Quoted(name) => Ok(name),
            other => Self::fail(token.place, format!("expected a name in quotes after `{keyword}`, got {other}")),
        }
    }

    fn call(&mut self, place: Place) -> Parsing<Node> {
        let name = self.template_name(Keyword::Template)?;
        self.skip_spaces();
        if self.peek().kind == Kind::Close {
            self.at += 1;
            return Ok(Node::Call { place, name, pipeline: None });
        }
        let pipeline = Some(self.pipeline(&Kind::Close, "in `template`")?);
        Ok(Node::Call { place, name, pipeline })
    }

    fn define(&mut self, place: Place) -> Parsing<()> {
        let name = self.template_name(Keyword::Define)?;
        self.expect(&Kind::Close, "after the name of the template")?;
        self.body_of(place, Keyword::Define, name)
    }

    fn defining_call(&mut self, place: Place) -> Parsing<Node> {
        let name = self.template_name(Keyword::Block)?;
        let pipeline = Some(self.pipeline(&Kind::Close, "in `block`")?);
        self.body_of(place, Keyword::Block, name.clone())?;
        Ok(Node::Call { place, name, pipeline })
    }

    fn body_of(&mut self, place: Place, keyword: Keyword, name: String) -> Parsing<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let mut body = Vec::new();
        let ended = self.block(&mut body, false)?;
        if !self.ended(place, keyword, &ended)? {
            return Self::fail(place, format!("`else` in this `{keyword}` belongs to no `if`, `with` or `range`"));
        }
        (self.variables, self.ranges) = (variables, ranges);
        let template = Template { file: self.file.clone(), body };
        match self.defined.get(&name) {
            Some(old) if !old.is_empty() && template.is_empty() => Ok(()),
            Some(old) if !old.is_empty() => Self::fail(place, format!("the template `{name}` is defined twice")),
            _ => {
                self.defined.insert(name, Arc::new(template));
                Ok(())
            }
        }
    }

    /// Up to `end`, which it takes.
    fn pipeline(&mut self, end: &Kind, context: &str) -> Parsing<Pipeline> {
        self.deeper()?;
        self.skip_spaces();
        let place = self.peek().place;
        let (variables, assigns) = self.declarations(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            self.skip_spaces();
            let token = self.peek();
            if token.kind == *end && !commands.is_empty() {
                self.at += 1;
                break;
            }
            if commands.is_empty() || !matches!(token.kind, Kind::Close | Kind::RightParenthesis) {
                let command = self.command(context)?;
                if !commands.is_empty() && !is_callable(&command.head) {
                    return Self::fail(command.head.place, "only a function or a method can stand behind `|`");
                }
                commands.push(command);
            } else {
                return Self::fail(token.place, format!("expected {end} {context}, got {}", token.kind));
            }
        }
        self.depth -= 1;
        Ok(Pipeline { place, variables, assigns, commands })
    }

    fn declarations(&mut self, context: &str) -> Parsing<(Vec<String>, bool)> {
        let begin = self.at;
        let mut variables = Vec::new();
        loop {
            let token = self.next_solid();
            let Kind::Variable(name) = token.kind else { break };
            let sign = self.next_solid();
            match sign.kind {
                Kind::Declare | Kind::Assign => {
                    variables.push(name);
                    let assigns = sign.kind == Kind::Assign;
                    self.introduce(token.place, &variables, assigns)?;
                    return Ok((variables, assigns));
                }
                Kind::Comma if context == "after `range`" && variables.is_empty() => variables.push(name),
                Kind::Comma => {
                    let most = if context == "after `range`" { "two variables" } else { "one variable" };
                    return Self::fail(token.place, format!("expected at most {most} {context}"));
                }
                _ => break,
            }
        }
        match variables.is_empty() {
            true => self.at = begin,
            false => return Self::fail(self.peek().place, "expected a second variable and `:=` after the `,`"),
        }
        Ok((variables, false))
    }

    fn introduce(&mut self, place: Place, names: &[String], assigns: bool) -> Parsing<()> {
        for name in names {
            match assigns {
                true => self.known(place, name)?,
                false => self.variables.push(name.clone()),
            }
        }
        Ok(())
    }

    fn known(&self, place: Place, name: &str) -> Parsing<()> {
        match self.variables.iter().any(|known| known == name) {
            true => Ok(()),
            false => Self::fail(place, format!("the variable `{name}` is not defined here")),
        }
    }

    /// Operands up to `|`, which it takes, or to the end of the pipeline, which it leaves.
    fn command(&mut self, context: &str) -> Parsing<Command> {
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            self.skip_spaces();
            let token = self.peek().clone();
            let operand = self.operand()?;
            let is_last = operand.is_none();
            operands.extend(operand);
            let behind = self.peek().clone();
            match behind.kind {
                Kind::Space => self.skip_spaces(),
                Kind::Close | Kind::RightParenthesis => {}
                Kind::Pipe if !operands.is_empty() => {
                    self.at += 1;
                    break;
                }
                _ if is_last => {
                    return Self::fail(
                        token.place,
                        format!("expected a value or a function {context}, got {}", token.kind),
                    );
                }
                other => return Self::fail(behind.place, format!("expected a space before {other}")),
            }
            if is_last || matches!(self.peek().kind, Kind::Close | Kind::RightParenthesis) {
                break;
            }
        }
        let mut operands = operands.into_iter();
        match operands.next() {
            Some(head) => Ok(Command { head, arguments: operands.collect() }),
            None => Self::fail(self.peek().place, format!("expected a value {context}, got {}", self.peek().kind)),
        }
    }

    fn operand(&mut self) -> Parsing<Option<Operand>> {
        let Token { kind, place } = self.peek().clone();
        let mut fields = Vec::new();
        let term = match kind {
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Bool(truth) => Term::Constant(Value::Bool(truth)),
            Kind::Int(number) => Term::Constant(Value::int(number)),
            Kind::Float(number) => Term::Constant(Value::Float(number)),
            Kind::Quoted(text) => Term::Constant(Value::text(text)),
            Kind::Field(name) => {
                fields.push(name);
                Term::Dot
            }
            Kind::Variable(name) => {
                self.known(place, &name)?;
                Term::Variable(name)
            }
            Kind::Word(name) => Term::Function(function(place, &name)?),
            Kind::LeftParenthesis => {
                self.at += 1;
                let pipeline = self.pipeline(&Kind::RightParenthesis, "in parentheses")?;
                self.at -= 1; // Its `)`, which is taken below as any other token.
                Term::Pipeline(Box::new(pipeline))
            }
            _ => return Ok(None),
        };
        self.at += 1;
        while let Kind::Field(name) = &self.peek().kind {
            if fields.is_empty() && matches!(term, Term::Dot | Term::Nil | Term::Constant(_)) {
                return Self::fail(
                    self.peek().place,
                    format!("a constant has no field `.{name}`; a space is missing before it"),
                );
            }
            fields.push(name.clone());
            self.at += 1;
        }
        Ok(Some(Operand { place, term, fields }))
    }
}

fn is_callable(head: &Operand) -> bool {
    !head.fields.is_empty() || !matches!(head.term, Term::Dot | Term::Nil | Term::Constant(_))
}

fn function(place: Place, name: &str) -> Parsing<&'static functions::Function> {
    functions::find(name).ok_or_else(|| {
        let near = functions::nearest(name).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        SyntaxError { place, message: format!("there is no function `{name}`{near}") }
    })
}
