//! Runs a parsed template over data, within limits. Decides what every node and operand gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::buffer::{Buffer, Fault, TEXT_BYTES_MAX, too_long};
use super::data::TemplateData;
use super::functions::{Call, Function, Run};
use super::html::Html;
use super::lexer::Place;
use super::members::member;
use super::pattern::Patterns;
use super::print;
use super::syntax::{Choice, Command, Node, Operand, Pipeline, Range, Template, Term};
use super::value::Value;

/// Nodes and operands one rendering may take, and what its functions read and write besides.
const STEPS_MAX: usize = 1_000_000;

/// Blocks, calls of templates and parentheses in each other.
const DEPTH_MAX: usize = 150;

/// What went wrong and where, once that is known.
#[derive(Debug)]
pub struct Failure {
    pub file: Option<Arc<str>>,
    pub place: Option<Place>,
    pub message: Fault,
}

impl From<Fault> for Failure {
    fn from(message: Fault) -> Self {
        Self { file: None, place: None, message }
    }
}

impl Failure {
    fn at(mut self, template: &Template, place: Place) -> Self {
        if self.place.is_none() {
            self.file = template.file.clone();
            self.place = Some(place);
        }
        self
    }
}

type Running<T> = Result<T, Failure>;

/// The templates that can be called, the first set before the second.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub own: &'a BTreeMap<String, Arc<Template>>,
    pub shared: &'a BTreeMap<String, Arc<Template>>,
}

impl<'a> Named<'a> {
    pub fn find(&self, name: &str) -> Option<&'a Template> {
        let (own, shared) = (self.own.get(name), self.shared.get(name));
        // An empty one replaces none.
        let own = own.filter(|own| shared.is_none() || !own.is_empty());
        own.or(shared).map(|template| &**template)
    }
}

/// # Errors
/// What went wrong, or which limit was reached.
pub fn run(template: &Template, named: Named, data: &TemplateData, html: bool) -> Running<String> {
    let mut state = State {
        named,
        data,
        template,
        variables: vec![("$", data.root.clone())],
        buffer: Buffer::default(),
        html: html.then(Html::default),
        patterns: Patterns::default(),
        steps: 0,
        depth: 0,
    };
    state.nodes(&template.body, &data.root)?;
    Ok(state.buffer.into_text())
}

struct State<'a> {
    named: Named<'a>,
    data: &'a TemplateData,
    template: &'a Template,
    variables: Vec<(&'a str, Value)>,
    buffer: Buffer,
    html: Option<Html>,
    patterns: Patterns,
    steps: usize,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> State<'a> {
    fn charge(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps);
        match self.steps > STEPS_MAX {
            true => Err(format!("it takes more than {STEPS_MAX} steps")),
            false => Ok(()),
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(format!("blocks and templates go more than {DEPTH_MAX} deep; does a template call itself?")),
            false => Ok(()),
        }
    }

    fn nodes(&mut self, nodes: &'a [Node], dot: &Value) -> Running<Flow> {
        self.deeper()?;
        let mut flow = Flow::Next;
        for node in nodes {
            self.charge(1)?;
            flow = self.node(node, dot)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &'a Node, dot: &Value) -> Running<Flow> {
        match node {
            Node::Text(text) => self.literal(text)?,
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    self.print(&value, pipeline).map_err(|fault| self.failed(fault, pipeline.place))?;
                }
            }
            Node::Choice(choice) => return self.choice(choice, dot),
            Node::Range(range) => return self.range(range, dot),
            Node::Call { place, name, pipeline } => self.call_template(*place, name, pipeline.as_ref(), dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn failed(&self, fault: Fault, place: Place) -> Failure {
        Failure::from(fault).at(self.template, place)
    }

    fn literal(&mut self, text: &str) -> Result<(), Fault> {
        match &mut self.html {
            None => self.buffer.push_str(text),
            Some(html) => html.literal(text, &mut self.buffer),
        }
    }

    fn print(&mut self, value: &Value, pipeline: &Pipeline) -> Result<(), Fault> {
        let Some(html) = &mut self.html else {
            return match value {
                Value::Text(text, _) => self.buffer.push_str(text),
                _ => self.buffer.push_str(&print::shown(value)?),
            };
        };
        let last = pipeline.commands.last().and_then(|command| match command.head.term {
            Term::Function(function) if command.head.fields.is_empty() => Some(function.name),
            _ => None,
        });
        let escaped = html.value(value, last)?;
        self.buffer.push_str(&escaped)
    }

    fn choice(&mut self, choice: &'a Choice, dot: &Value) -> Running<Flow> {
        let known = self.variables.len();
        let mut chosen = (&choice.otherwise, dot.clone());
        for (pipeline, body) in &choice.arms {
            let value = self.pipeline(pipeline, dot)?;
            if value.is_true() {
                chosen = (body, if choice.is_with { value } else { dot.clone() });
                break;
            }
        }
        let flow = self.nodes(chosen.0, &chosen.1)?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, range: &'a Range, dot: &Value) -> Running<Flow> {
        let known = self.variables.len();
        let pipeline = &range.pipeline;
        let over = self.commands(pipeline, dot)?;
        let items: Vec<(Value, Value)> = match &over {
            Value::List(list) => {
                list.items.iter().cloned().enumerate().map(|(at, item)| (Value::int(at as i64), item)).collect()
            }
            Value::Map(map) => {
                map.entries.iter().map(|(name, value)| (Value::text(name.clone()), value.clone())).collect()
            }
            Value::Int(count, _) if pipeline.variables.len() < 2 => {
                let count = usize::try_from(*count).unwrap_or(0);
                self.charge(count).map_err(|fault| self.failed(fault, pipeline.place))?;
                (0..count).map(|at| (Value::Nil, Value::int(at as i64))).collect()
            }
            Value::Absent => Vec::new(),
            _ => {
                let fault = format!("`range` goes over lists and maps, not over {}", over.a_type());
                return Err(self.failed(fault, pipeline.place));
            }
        };
        self.charge(items.len()).map_err(|fault| self.failed(fault, pipeline.place))?;
        if items.is_empty() {
            return self.nodes(&range.otherwise, dot);
        }
        for (key, item) in items {
            match &*pipeline.variables {
                [one] => self.set(pipeline, one, item.clone())?,
                [one, two] => {
                    self.set(pipeline, one, key)?;
                    self.set(pipeline, two, item.clone())?;
                }
                _ => {}
            }
            let flow = self.nodes(&range.body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn call_template(&mut self, place: Place, name: &str, pipeline: Option<&'a Pipeline>, dot: &Value) -> Running<()> {
        let Some(template) = self.named.find(name) else {
            return Err(self.failed(format!("no template is named `{name}`"), place));
        };
        let dot = match pipeline {
            Some(pipeline) => self.pipeline(pipeline, dot)?,
            None => Value::Absent,
        };
        let caller = std::mem::replace(&mut self.template, template);
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        self.nodes(&template.body, &dot).map_err(|failure| failure.at(caller, place))?;
        self.template = caller;
        self.variables = variables;
        Ok(())
    }

    /// Gives the value, and sets the variables that stand before it.
    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Running<Value> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            self.set(pipeline, name, value.clone())?;
        }
        Ok(value)
    }

    fn set(&mut self, pipeline: &'a Pipeline, name: &'a str, value: Value) -> Running<()> {
        if !pipeline.assigns {
            self.variables.push((name, value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(variable) => variable.1 = value,
            None => return Err(self.failed(undefined(name), pipeline.place)),
        }
        Ok(())
    }

    fn commands(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Running<Value> {
        self.deeper().map_err(|fault| self.failed(fault, pipeline.place))?;
        let mut piped = None;
        for command in &pipeline.commands {
            self.charge(1).map_err(|fault| self.failed(fault, command.head.place))?;
            let value =
                self.command(command, dot, piped).map_err(|failure| failure.at(self.template, command.head.place))?;
            // A `nil` that came out of a list or dictionary is nothing from here on.
            piped = Some(if value.is_nil() { Value::Absent } else { value });
        }
        self.depth -= 1;
        Ok(piped.unwrap_or(Value::Absent))
    }

    fn command(&mut self, command: &'a Command, dot: &Value, piped: Option<Value>) -> Running<Value> {
        let head = &command.head;
        if let Term::Function(function) = head.term
            && head.fields.is_empty()
        {
            return self.function(function, &command.arguments, dot, piped);
        }
        let Some((last, before)) = head.fields.split_last() else {
            if !command.arguments.is_empty() || piped.is_some() {
                return Err(Fault::from("only a function or a method takes arguments").into());
            }
            return match head.term {
                Term::Nil => Err(Fault::from("`nil` alone is nothing to compute").into()),
                _ => self.term(head, dot),
            };
        };
        let mut value = self.term(head, dot)?;
        for name in before {
            value = self.member(&value, name, Vec::new())?;
        }
        let mut arguments = self.arguments(&command.arguments, dot)?;
        arguments.extend(piped);
        self.member(&value, last, arguments)
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Running<Value> {
        let mut value = self.term(operand, dot).map_err(|failure| failure.at(self.template, operand.place))?;
        for name in &operand.fields {
            value =
                self.member(&value, name, Vec::new()).map_err(|failure| failure.at(self.template, operand.place))?;
        }
        Ok(value)
    }

    fn term(&mut self, operand: &'a Operand, dot: &Value) -> Running<Value> {
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::Absent),
            Term::Constant(value) => Ok(value.clone()),
            Term::Variable(name) => {
                let variable = self.variables.iter().rev().find(|(known, _)| known == name);
                variable.map(|(_, value)| value.clone()).ok_or_else(|| undefined(name).into())
            }
            Term::Function(function) => self.function(function, &[], dot, None),
            Term::Pipeline(pipeline) => self.pipeline(pipeline, dot),
        }
    }

    fn arguments(&mut self, operands: &'a [Operand], dot: &Value) -> Running<Vec<Value>> {
        operands.iter().map(|operand| self.operand(operand, dot)).collect()
    }

    fn function(
        &mut self,
        function: &'static Function,
        operands: &'a [Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Running<Value> {
        function.takes(operands.len() + usize::from(piped.is_some()))?;
        let run = match function.run {
            Run::Call(run) => run,
            Run::And | Run::Or => {
                let stops_at = matches!(function.run, Run::Or);
                let mut value = Value::Absent;
                for operand in operands {
                    value = self.operand(operand, dot)?;
                    if value.is_true() == stops_at {
                        return Ok(value);
                    }
                }
                return Ok(piped.unwrap_or(value));
            }
        };
        let mut arguments = self.arguments(operands, dot)?;
        arguments.extend(piped);
        self.call(function.name, arguments, run)
    }

    fn member(&mut self, receiver: &Value, name: &str, arguments: Vec<Value>) -> Running<Value> {
        self.charge(receiver.weight())?;
        self.call(name, arguments, |call| member(receiver, call))
    }

    fn call(
        &mut self,
        name: &str,
        arguments: Vec<Value>,
        run: impl FnOnce(&mut Call) -> Result<Value, Fault>,
    ) -> Running<Value> {
        self.charge(1 + arguments.iter().map(Value::weight).sum::<usize>())?;
        let value = run(&mut Call { name, arguments, data: self.data, patterns: &mut self.patterns })?;
        if matches!(&value, Value::Text(text, _) if text.len() > TEXT_BYTES_MAX) {
            return Err(too_long().into());
        }
        let searched = std::mem::take(&mut self.patterns.work);
        self.charge(value.weight() + searched)?;
        Ok(value)
    }
}

fn undefined(name: &str) -> Fault {
    format!("the variable `{name}` is not defined here")
}
