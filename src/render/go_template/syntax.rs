//! A parsed template.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::Function;
use super::lexer::Place;
use super::value::Value;

/// One file, or one text of the configuration.
#[derive(Debug)]
pub struct Parsed {
    /// What stands outside of `define`.
    pub main: Arc<Template>,
    pub defined: BTreeMap<String, Arc<Template>>,
}

#[derive(Debug)]
pub struct Template {
    /// Of the file it stands in; absent for a text of the configuration.
    pub file: Option<Arc<str>>,
    pub body: Vec<Node>,
}

#[derive(Debug)]
pub enum Node {
    Text(String),
    Action(Pipeline),
    Choice(Choice),
    Range(Range),
    Call { place: Place, name: String, pipeline: Option<Pipeline> },
    Break,
    Continue,
}

/// `if` or `with`, and all its `else if` or `else with`.
#[derive(Debug)]
pub struct Choice {
    /// Whether the value becomes `.`.
    pub is_with: bool,
    pub arms: Vec<(Pipeline, Vec<Node>)>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug)]
pub struct Range {
    pub pipeline: Pipeline,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug)]
pub struct Pipeline {
    pub place: Place,
    pub variables: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

#[derive(Debug)]
pub struct Command {
    pub head: Operand,
    pub arguments: Vec<Operand>,
}

#[derive(Debug)]
pub struct Operand {
    pub place: Place,
    pub term: Term,
    /// `.A.B` behind it.
    pub fields: Vec<String>,
}

#[derive(Debug)]
pub enum Term {
    /// `.`, and the beginning of `.Name`.
    Dot,
    Nil,
    Constant(Value),
    Variable(String),
    Function(&'static Function),
    Pipeline(Box<Pipeline>),
}

impl Template {
    /// A body of nothing but space, which replaces no other.
    pub fn is_empty(&self) -> bool {
        self.body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }

    /// Calls `see` with the name of every template that it calls.
    pub fn calls<'a>(&'a self, see: &mut impl FnMut(Place, &'a str)) {
        calls(&self.body, see);
    }
}

fn calls<'a>(nodes: &'a [Node], see: &mut impl FnMut(Place, &'a str)) {
    for node in nodes {
        match node {
            Node::Call { place, name, .. } => see(*place, name),
            Node::Choice(choice) => {
                choice.arms.iter().for_each(|(_, body)| calls(body, see));
                calls(&choice.otherwise, see);
            }
            Node::Range(range) => {
                calls(&range.body, see);
                calls(&range.otherwise, see);
            }
            Node::Text(_) | Node::Action(_) | Node::Break | Node::Continue => {}
        }
    }
}
