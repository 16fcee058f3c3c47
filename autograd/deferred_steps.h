// Steps on the CUDA device whose losses the host has not read yet.
//
//   DeferredSteps deferred;
//   deferred.add(micro, loss, measures);   // for each micro-batch of the step
//   optimizer.step(parameters, gradients, settings, deferred.losses());
//   deferred.close(step, *optimizer.control());
//   …
//   deferred.add(micro, loss, measures);   // of several processes with a device each: its own,
//   const auto all = share_results(processes, mine, true);
//   std::vector<Tensor> numbers = deferred.numbers_among(*all);
//   sum.sum_over(processes, parameters, unit, numbers);
//   deferred.replace(*all, numbers);       // then those of all
//   …                                      // more steps; nothing waits for the device
//   for (const DoneStep& done : deferred.read()) …
#pragma once
#include <cstdint>
#include <span>
#include <string>
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
  // `known` lacks its loss, and is told what is measured.
  void add(MicroResult& known, const Tensor& loss, const std::vector<Measure>& measures);
  // A place for each loss of `all` and the measures behind it, filled where the open step has it.
  std::vector<Tensor> numbers_among(const std::vector<MicroResult>& all) const;
  // The open step consists of these micro-batches, whose losses and measures are the numbers.
  void replace(const std::vector<MicroResult>& all, std::span<const Tensor> numbers);
  // Of the micro-batches since the last close or drop, as f32.
  const std::vector<Tensor>& losses() const { return losses_; }
  void drop();  // forgets those micro-batches
  void close(int64_t step, const StepControl& control);
  // All steps closed since the last call, in order. Waits for the device.
  std::vector<DoneStep> read();

 private:
  void note(const Tensor& words);

  DoneStep open_;
  std::vector<Tensor> losses_;                 // of the open step
  std::vector<std::vector<Tensor>> measures_;  // likewise
  std::vector<DoneStep> closed_;
  // Numbers in the order in which they will be read, in blocks of kBlock; the last one grows.
  static constexpr int64_t kBlock = 1024;
  std::vector<Tensor> blocks_;
  int64_t used_ = 0;  // of all blocks
};

}  // namespace ink
