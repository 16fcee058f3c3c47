// Numbers are copied into blocks on the device in the order of the stream, and downloaded together.
#include "autograd/deferred_steps.h"

#include <algorithm>
#include <span>

namespace ink {

void DeferredSteps::add(MicroResult known, const Tensor& loss,
                        const std::vector<Measure>& measures) {
  open_.known.micro_batches.push_back(std::move(known));
  losses_.push_back(converted(loss, Dtype::f32));
  Factors& factors = open_.measures.emplace_back();
  std::vector<Tensor>& values = measures_.emplace_back();
  for (const Measure& m : measures) {
    factors.emplace_back(m.name, m.factor);
    values.push_back(converted(to(m.value, Device::cuda), Dtype::f32));
  }
}

void DeferredSteps::drop() {
  open_ = {};
  losses_.clear();
  measures_.clear();
}

void DeferredSteps::close(int64_t step, const StepControl& control) {
  open_.known.step = step;
  for (size_t k = 0; k < losses_.size(); ++k) {
    note(losses_[k]);
    for (const Tensor& value : measures_[k]) note(value);
  }
  note(control.record());
  note(control.loss_scale());
  closed_.push_back(std::move(open_));
  drop();
}

void DeferredSteps::note(const Tensor& words) {
  const int64_t n = words.size();
  if (used_ % kBlock + n > kBlock) used_ += kBlock - used_ % kBlock;
  if (used_ == kBlock * std::ssize(blocks_))
    blocks_.push_back(Tensor({kBlock}, Dtype::f32, Device::cuda));
  Tensor place = view(blocks_.back(), {n}, {1}, used_ % kBlock);
  copy_into(place, view(words, {n}, {1}, words.offset()));
  used_ += n;
}

std::vector<DoneStep> DeferredSteps::read() {
  std::vector<std::vector<float>> blocks;
  for (const Tensor& block : blocks_) blocks.push_back(to_vector<float>(block));
  int64_t at = 0;
  const auto next = [&](int64_t n) {  // where note has put them
    if (at % kBlock + n > kBlock) at += kBlock - at % kBlock;
    const float* first = blocks[static_cast<size_t>(at / kBlock)].data() + at % kBlock;
    at += n;
    return std::span(first, static_cast<size_t>(n));
  };
  std::vector<DoneStep> done;
  for (Step& step : closed_) {
    for (size_t k = 0; k < step.measures.size(); ++k) {
      MicroResult& micro = step.known.micro_batches[k];
      micro.loss = static_cast<double>(next(1)[0]);
      for (const auto& [name, factor] : step.measures[k])
        micro.metrics.emplace_back(name, factor * static_cast<double>(next(1)[0]));
    }
    step.known.record = StepControl::record_from(next(StepControl::kRecordWords));
    step.known.loss_scale = static_cast<double>(next(1)[0]);
    done.push_back(std::move(step.known));
  }
  closed_.clear();
  blocks_.clear();
  used_ = 0;
  return done;
}

}  // namespace ink
