// Steps on the CUDA device whose losses the host has not read yet.
//
//   DeferredSteps deferred;
//   deferred.add(micro, loss, measures);   // for each micro-batch of the step
//   optimizer.step(parameters, gradients, settings, deferred.losses());
//   deferred.close(step, *optimizer.control());
//   …                                      // more steps; nothing waits for the device
//   for (const DoneStep& done : deferred.read()) …
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "autograd/micro_batches.h"
#include "tensor/step_control.h"

namespace ink {

// A metric that is still on the device: factor·value, with a value of one element.
struct Measure {
  std::string name;
  Tensor value;
  double factor = 1;
};

struct DoneStep {
  int64_t step = 0;
  std::vector<MicroResult> micro_batches = {};
  StepRecord record = {};
  double loss_scale = 1;
};

class DeferredSteps {
 public:
  // `known` lacks its loss and the measures.
  void add(MicroResult known, const Tensor& loss, const std::vector<Measure>& measures);
  // Of the micro-batches since the last close or drop, as f32.
  const std::vector<Tensor>& losses() const { return losses_; }
  void drop();  // forgets those micro-batches
  void close(int64_t step, const StepControl& control);
  // All steps closed since the last call, in order. Waits for the device.
  std::vector<DoneStep> read();

 private:
  using Factors = std::vector<std::pair<std::string, double>>;
  struct Step {
    DoneStep known;
    std::vector<Factors> measures;  // of each micro-batch
  };
  void note(const Tensor& words);

  Step open_;
  std::vector<Tensor> losses_;                 // of the open step
  std::vector<std::vector<Tensor>> measures_;  // likewise
  std::vector<Step> closed_;
  // Numbers in the order in which they will be read, in blocks of kBlock; the last one grows.
  static constexpr int64_t kBlock = 1024;
  std::vector<Tensor> blocks_;
  int64_t used_ = 0;  // of all blocks
};

}  // namespace ink
