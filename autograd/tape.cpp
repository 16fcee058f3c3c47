// The tape: recording, the reverse loop, and recomputation.
#include "autograd/tape.h"

#include <algorithm>
#include <atomic>

#include "tensor/update.h"

namespace ink {
namespace {

std::atomic<uint32_t> tapes_made{0};

}  // namespace

const Tensor& Gradients::operator[](const Tensor& x) const {
  static const Tensor none;
  const bool known = x.grad_id.tape == tape_ && x.grad_id.step < by_step_.size();
  return known ? by_step_[x.grad_id.step] : none;
}

Tensor Gradients::take(const Tensor& x) {
  const bool known = x.grad_id.tape == tape_ && x.grad_id.step < by_step_.size();
  return known ? std::exchange(by_step_[x.grad_id.step], Tensor()) : Tensor();
}

Tape::Tape() : outer_(std::exchange(current, this)), id_(++tapes_made) {}
Tape::~Tape() { current = outer_; }

void Tape::expect_unused() const {
  check(!used_, "tape: this tape was used up by backward; make a new one");
}

void Tape::watch(Tensor& x) {
  expect_unused();
  check(x && is_float(x.dtype()) && (x.device() == Device::cuda || wide(x.dtype()) == x.dtype()),
        "tape: only f32 and f64 tensors can be watched, and on cuda those of 16 bits");
  x.grad_id = record(nullptr);
}

void Tape::watch(Parameters& parameters) {
  parameters.expect_numbers("tape");
  for (Parameter& p : parameters) {
    if (p.trainable) watch(p.value);
  }
}

GradId Tape::resolve(GradId id) {
  if (used_) return {};
  if (id.tape == id_) return id;
  const auto alias = std::ranges::find(aliases_, id, &std::pair<GradId, GradId>::first);
  return id.tape && alias != aliases_.end() ? alias->second : GradId{};
}

GradId Tape::record(std::unique_ptr<Step> step) {
  steps_.push_back(std::move(step));
  return {id_, static_cast<uint32_t>(steps_.size() - 1)};
}

GradId Tape::watch_as(GradId outer) {
  aliases_.emplace_back(outer, record(nullptr));
  return aliases_.back().second;
}

Gradients Tape::backward(const Tensor& scalar) {
  check(scalar.size() == 1, "backward: expected a scalar, got shape ", scalar.shape(),
        "; pass dy as well");
  return backward(scalar, full(scalar.shape(), 1, scalar.dtype(), scalar.device()));
}

Gradients Tape::backward(const Tensor& y, const Tensor& dy) {
  expect_unused();
  check(dy.shape() == y.shape(), "backward: dy should be ", y.shape(), ", got ", dy.shape());
  const GradId start = resolve(y.grad_id);
  check(start.tape != 0, "backward: the result does not depend on any watched tensor of this tape");
  used_ = true;
  const Pause pause;
  sums_.resize(steps_.size());
  add_gradient(sums_[start.step], dy);
  for (size_t i = steps_.size(); i-- > 0;) {
    // frees what it saved at the end of this turn
    const std::unique_ptr<Step> step = std::move(steps_[i]);
    if (!step || !sums_[i]) continue;
    Grads inputs = step->backward(std::exchange(sums_[i], Tensor()));
    check(inputs.size() == step->inputs.size(), "backward: ", step->name(), " returned ",
          inputs.size(), " gradients for ", step->inputs.size(), " inputs");
    for (size_t k = 0; k < inputs.size(); ++k) {
      if (step->inputs[k].tape == 0 || !inputs[k]) continue;
      add_gradient(sums_[step->inputs[k].step], std::move(inputs[k]));
    }
  }
  steps_.clear();
  return Gradients(id_, std::move(sums_));
}

std::vector<Tensor> Tape::backward(const Tensor& loss, const Tensor& dy,
                                   const Parameters& parameters) {
  Gradients gradients = dy ? backward(loss, dy) : backward(loss);
  std::vector<Tensor> all;
  for (const Parameter& p : parameters)
    all.push_back(p.trainable ? gradients.take(p.value) : Tensor());
  return all;
}

namespace {

// Notes which watched tensors a function reads, and records nothing.
class Probe final : public Recorder {
 public:
  explicit Probe(Recorder* outer) : outer_(outer) { current = this; }
  ~Probe() override { current = outer_; }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  GradId resolve(GradId id) override {
    const GradId known = outer_->resolve(id);
    if (known.tape && std::ranges::find(seen, id) == seen.end()) seen.push_back(id);
    return {};
  }
  GradId record(std::unique_ptr<Step>) override { return {}; }

  std::vector<GradId> seen;

 private:
  Recorder* outer_;
};

}  // namespace

class Recomputed final : public Step {
 public:
  Recomputed(std::function<Tensor()> f, std::vector<GradId> reads, Tape* outer)
      : f_(std::move(f)), reads_(std::move(reads)), outer_(outer) {}
  const char* name() const override { return "recompute"; }

  Grads backward(const Tensor& dy) const override {
    Tape inner;
    std::vector<GradId> leaves;
    for (const GradId id : reads_) leaves.push_back(inner.watch_as(id));
    const Tensor y = f_();
    if (!inner.resolve(y.grad_id).tape) return Grads(leaves.size());  // read, but without influence
    take_sums(inner, leaves);
    Gradients gradients = inner.backward(y, dy);
    Grads out;
    for (const GradId leaf : leaves) out.push_back(std::move(gradients.by_step_[leaf.step]));
    return out;
  }

 private:
  // The steps of f add to the outer sums so far, in the order in which they would have done so.
  void take_sums(Tape& inner, const std::vector<GradId>& leaves) const {
    if (!outer_) return;
    inner.sums_.resize(leaves.size());  // leaves are the first steps
    for (size_t k = 0; k < leaves.size(); ++k)
      inner.sums_[leaves[k].step] = std::exchange(outer_->sums_[inputs[k].step], Tensor());
  }

  std::function<Tensor()> f_;
  std::vector<GradId> reads_;
  Tape* outer_;  // null: what records is no tape
};

Tensor recompute(std::function<Tensor()> f) {
  Recorder* outer = Recorder::current;
  if (!outer) return f();
  std::vector<GradId> reads;
  Tensor y;
  {
    Probe probe(outer);
    y = f();
    reads = std::move(probe.seen);
  }
  if (reads.empty()) return y;
  auto step = std::make_unique<Recomputed>(std::move(f), reads, dynamic_cast<Tape*>(outer));
  for (const GradId id : reads) step->inputs.push_back(outer->resolve(id));
  y.grad_id = outer->record(std::move(step));
  return y;
}

}  // namespace ink
