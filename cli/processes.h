// Several processes of this program, started by mpirun: how many threads each has, and who speaks.
#pragma once
#include <memory>
#include <string>

#include "autograd/communicator.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace ink::cli {

// Joins the processes that mpirun has started, and their GPUs where they compute on them. Unless
// --threads or INK_THREADS says otherwise, each takes its share of the cores of its machine. The
// first one says so; the others print no results.
std::unique_ptr<Communicator> join_processes(Command& command, ProgressDisplay& display);

// After an error: says it once and ends all processes with this status. What is wrong is mostly
// wrong everywhere, so a process other than the first gives that one two seconds to say it and to
// end them all; only where it did not does it speak for itself. Returns where there is one process.
void say_and_end(const std::string& message, int status);

}  // namespace ink::cli
