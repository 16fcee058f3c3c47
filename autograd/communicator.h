// Communicator: the processes that train together, rank r of W, and what they tell each other.
//
//   const std::unique_ptr<Communicator> processes = join_processes();  // mpirun's, or this one
// alone
//   std::vector<float> gradient = …;                   // of this process's share of the batch
//   processes->sum(gradient);                          // Σᵣ gradientᵣ, the same bits everywhere
//   if (any(*processes, interrupted)) …                // all stop at the same step
//
// Every call is collective: all processes make the same calls in the same order, and each waits for
// the others. Sums are added in order of rank, so they do not depend on the network, and every
// process ends with the same bits.
//
// With a GPU each (join_devices) they also add up what lies there, without the host:
//
//   take_own_device();                                  // before the CUDA device is first used
//   std::unique_ptr<Communicator> processes = join_devices(join_processes());
//   if (processes->joins_devices()) processes->sum(tensor_on_the_device);
//
// One process that fails must not leave the others waiting: end_processes() ends them all. With a
// process that is killed, mpirun does the same.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ink {

class Tensor;

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  virtual int here() const { return 1; }  // processes of these on this machine
  bool is_first() const { return rank() == 0; }

  // Element by element, the sum over all processes, which must pass equally many.
  virtual void sum(std::span<float> /*values*/) {}
  // Whether the processes add up what is on their CUDA devices, which the host does not wait for.
  virtual bool joins_devices() const { return false; }
  // Then: the same for a contiguous tensor of f32 there, of a multiple of 4·size() elements.
  virtual void sum(Tensor& /*values*/) {}
  // What each process says, in order of rank; texts may be of any length.
  virtual std::vector<std::string> gather(const std::string& mine) { return {mine}; }
};

// This process and no other.
Communicator& alone();

// True everywhere when it is true somewhere.
bool any(Communicator& processes, bool here);
// What the first process says.
std::string from_first(Communicator& processes, const std::string& text);

// What mpirun has told this process by its environment (Open MPI, MPICH, Intel MPI); nothing when
// it was started in another way.
struct Launch {
  int rank = 0, size = 1;
  int local = 0;  // rank among the processes of this machine; where mpirun does not say it, rank
};
std::optional<Launch> launched_by_mpi();

// The processes that mpirun has started together with this one; this one alone where there are no
// others. Raises Error where there are and the library was built without MPI. Call it once; the
// result should live until the work is done, and its end is collective too.
std::unique_ptr<Communicator> join_processes();

// Of several processes that mpirun has started on a machine, each computes on a GPU of its own: the
// one whose number is the local rank, modulo those visible. Call it before the CUDA device is first
// used, an Error otherwise; one process alone, and one without CUDA, stays as it is.
void take_own_device();

// The same processes with their CUDA devices joined by NCCL: collective. Raises Error where two of
// them have the same device, which NCCL cannot join. One process alone, or a build without NCCL, is
// returned as it is and goes on exchanging through the host.
//
// When the exchange fails, as when another process has ended, whoever waits for the device next
// gets an Error; what the device has computed since is worth nothing.
std::unique_ptr<Communicator> join_devices(std::unique_ptr<Communicator> processes);

// After an error that the others do not know of: ends all processes with this exit status, this one
// included. Returns when no others were joined.
void end_processes(int status);

}  // namespace ink
