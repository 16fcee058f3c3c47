// Shares of the cores, and one voice.
#include "cli/processes.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "nn/place.h"
#include "tensor/parallel.h"

namespace ink::cli {

std::unique_ptr<Communicator> join_processes(Command& command, ProgressDisplay& display) {
  auto processes = ink::join_processes();
  if (processes->size() == 1) return processes;
  const bool on_cuda = working_place().device == Device::cuda;
  if (on_cuda) processes = join_devices(std::move(processes));
  const auto cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)),
             allowed = static_cast<int>(std::thread::hardware_concurrency());
  const bool bound = allowed < cores;  // by mpirun, each process to cores of its own
  if (!command.given("--threads") && !std::getenv("INK_THREADS"))
    set_threads(std::clamp(bound ? allowed : allowed / processes->here(), 1, 256));
  if (!processes->is_first()) {
    command.json = false;
    return processes;
  }
  display.say(std::to_string(processes->size()) + " processes, " + std::to_string(threads()) +
              (threads() == 1 ? " thread each" : " threads each"));
  if (on_cuda && !processes->joins_devices()) {
    display.say(
        "this build has no NCCL: gradients go through the host, for which every step waits");
  }
  if (bound && allowed * processes->here() < cores) {
    display.say("mpirun has bound each process to " + std::to_string(allowed) + " of " +
                std::to_string(cores) + " cores; --bind-to none gives them all");
  }
  return processes;
}

void say_and_end(const std::string& message, int status) {
  const std::optional<Launch> launch = launched_by_mpi();
  const bool several = launch && launch->size > 1;
  if (several && launch->rank > 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  notice(several ? "process " + std::to_string(launch->rank) + ": " + message : message);
  end_processes(status);
}

}  // namespace ink::cli
