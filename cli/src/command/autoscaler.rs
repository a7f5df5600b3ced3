//! `fnctl autoscaler simulate`: the node's own autoscaler over a trace.

use crate::args::AutoscalerCommand;
use crate::failure::{Failure, code};
use crate::output;
use std::fs::File;
use std::io::{BufRead, BufReader};

pub(crate) fn run(command: AutoscalerCommand) -> Result<(), Failure> {
    let AutoscalerCommand::Simulate { trace } = command;
    let reader: Box<dyn BufRead> = match &trace {
        None => Box::new(BufReader::new(std::io::stdin())),
        Some(file) => Box::new(BufReader::new(
            File::open(file)
                .map_err(|e| Failure::invalid(code::FILE, format!("cannot read {}", file.display())).because(&e))?,
        )),
    };
    let mut simulation = fnctl_autoscaler::simulate::Simulation::default();
    let invalid =
        |e: fnctl_autoscaler::simulate::TraceError| Failure::invalid(code::INPUT, "the trace is not valid").because(&e);
    for line in reader.lines() {
        simulation.line(&line?).map_err(invalid)?.iter().try_for_each(output::json)?;
    }
    simulation.finish().iter().try_for_each(output::json)
}
