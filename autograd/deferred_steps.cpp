// Numbers are copied into blocks on the device in the order of the stream, and downloaded together.
#include "autograd/deferred_steps.h"

#include <algorithm>
#include <span>

namespace ink {

void DeferredSteps::add(MicroResult& known, const Tensor& loss,
                        const std::vector<Measure>& measures) {
  losses_.push_back(converted(loss, Dtype::f32));
  std::vector<Tensor>& values = measures_.emplace_back();
  for (const Measure& m : measures) {
    known.measures.emplace_back(m.name, m.factor);
    values.push_back(converted(to(m.value, Device::cuda), Dtype::f32));
  }
  open_.micro_batches.push_back(known);
}

std::vector<Tensor> DeferredSteps::numbers_among(const std::vector<MicroResult>& all) const {
  std::vector<Tensor> numbers;
  size_t mine = 0;
  for (const MicroResult& micro : all) {
    const bool here = mine < losses_.size() && open_.micro_batches[mine].number == micro.number;
    numbers.push_back(here ? losses_[mine] : Tensor());
    for (size_t m = 0; m < micro.measures.size(); ++m)
      numbers.push_back(here ? measures_[mine][m] : Tensor());
    if (here) ++mine;
  }
  return numbers;
}

void DeferredSteps::replace(const std::vector<MicroResult>& all, std::span<const Tensor> numbers) {
  drop();
  open_.micro_batches = all;
  auto next = numbers.begin();
  for (const MicroResult& micro : all) {
    losses_.push_back(*next++);
    const auto end = next + std::ssize(micro.measures);
    measures_.emplace_back(next, end);
    next = end;
  }
}

void DeferredSteps::drop() {
  open_ = {};
  losses_.clear();
  measures_.clear();
}

void DeferredSteps::close(int64_t step, const StepControl& control) {
  open_.step = step;
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
  for (DoneStep& step : closed_) {
    for (MicroResult& micro : step.micro_batches) {
      micro.loss = static_cast<double>(next(1)[0]);
      for (const auto& [name, factor] : micro.measures)
        micro.metrics.emplace_back(name, factor * static_cast<double>(next(1)[0]));
    }
    step.record = StepControl::record_from(next(StepControl::kRecordWords));
    step.loss_scale = static_cast<double>(next(1)[0]);
    done.push_back(std::move(step));
  }
  closed_.clear();
  blocks_.clear();
  used_ = 0;
  return done;
}

}  // namespace ink
