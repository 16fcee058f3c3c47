// Forward and backward of micro-batches by replay: one of a shape that was met before costs the
// host a few uploads and one call instead of some hundred launches (cuda/graph.h).
//
//   StepGraphs graphs(parameters, optimizer, hooks.replayable, several, notice);
//   if (std::optional<Learned> learned = graphs.learn(micro_batch, random)) …   // or as usual
//
// The bits are those of work done as usual. A shape is recorded when it is met for the second time,
// while the work is done. Its index tensors are kept and get the numbers of later batches in place,
// with all that ops derive from them on the host (Storage::derived); dropout draws from streams
// that begin anew with every replay (tensor/replayed_random.h). Gradient sums, the optimizer and
// the log stay outside.
//
// The last few shapes are kept; one that is still replayed is not given up for another. Recordings
// share all memory, gradients included: that of the largest, beside what steps done as usual take.
// So results are to be used up before the next call, or copied.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "autograd/trainer.h"
#include "tensor/device.h"
#include "tensor/replayed_random.h"

namespace ink {

// What a micro-batch says: gradients one for each parameter, undefined where there is none.
struct Learned {
  MicroLoss micro;
  std::vector<Tensor> gradients;
};

class StepGraphs {
 public:
  using Notice = std::function<void(const std::string& sentence)>;

  // With `several` micro-batches before results are used up, they are copied out of the recordings.
  // `notice` is told once why steps are not recorded.
  StepGraphs(Parameters& parameters, const Optimizer& optimizer, const ReplayableLoss& loss,
             bool several, Notice notice);
  ~StepGraphs();
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  // Nothing: it is to be computed as usual.
  std::optional<Learned> learn(int64_t micro_batch, const Random& random);
  int64_t replayed() const { return replayed_; }  // micro-batches

 private:
  using Shapes = std::vector<int64_t>;
  struct Entry;
  static constexpr size_t kKept = 16, kRemembered = 4096;
  static constexpr int64_t kIdle = 100;  // micro-batches without it, after which an entry may go

  Entry* find(const Shapes& shapes);
  bool is_new(const Shapes& shapes);
  bool has_room() const;
  Learned compute(const MicroInputs& inputs);
  Learned record(const MicroInputs& inputs, Shapes shapes);
  Learned replay(Entry& entry, const MicroInputs& inputs);
  void forget_if_moved();
  void say(const std::string& sentence);
  void stop(const std::string& why);

  Parameters& parameters_;
  const Optimizer& optimizer_;
  const ReplayableLoss& loss_;
  const bool several_;
  const Notice notice_;
  bool told_ = false, stopped_ = false;
  ReplayedRandom streams_;
  std::list<std::unique_ptr<Entry>> entries_;  // those used last come first
  std::set<Shapes> met_;                       // at least once
  std::vector<Tensor> values_;                 // of the parameters, where recordings read them
  int64_t now_ = 0, replayed_ = 0;             // micro-batches so far
};

}  // namespace ink
