// A tape is a vector of steps; backward is a loop over it in reverse.
//
//   Tape tape;                          // from here on, ops on watched tensors are recorded
//   tape.watch(w);
//   Tensor loss = mse_loss(linear(x, w, b), y);
//   Gradients g = tape.backward(loss);  // frees every step as it is passed
//   g[w]                                // dloss/dw, shaped like w; undefined without influence
//
// A tape records what its own thread computes. Tapes nest: the innermost records. A
// tensor remembers the tape that knows it by number, so one that outlives its tape is
// simply no longer watched.
#pragma once
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/op.h"
#include "tensor/parameters.h"

namespace ink {

// What backward returns: the gradient of every watched tensor.
class Gradients {
 public:
  Gradients(uint32_t tape, std::vector<Tensor, PoolAllocator<Tensor>> by_step)
      : tape_(tape), by_step_(std::move(by_step)) {}
  // Undefined when x was not watched or does not influence the result.
  const Tensor& operator[](const Tensor& x) const;
  Tensor take(const Tensor& x);  // the same, moved out, so that it can be freed or changed in place

 private:
  friend class Tape;
  friend class Recomputed;
  uint32_t tape_;
  std::vector<Tensor, PoolAllocator<Tensor>> by_step_;
};

class Tape final : public Recorder {
 public:
  Tape();
  ~Tape() override;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  void watch(Tensor& x);               // x becomes a leaf whose gradient is wanted
  void watch(Parameters& parameters);  // every trainable one
  size_t steps() const { return steps_.size(); }

  // Gradients of a scalar, or of Σ y·dy. Uses the tape up: afterwards it records nothing, and
  // watching or a second backward raises Error.
  Gradients backward(const Tensor& scalar);
  Gradients backward(const Tensor& y, const Tensor& dy);
  // Of a scalar loss, or of dy times it where dy is defined: one for each parameter, undefined
  // where it is not trained or has no influence.
  std::vector<Tensor> backward(const Tensor& loss, const Tensor& dy, const Parameters& parameters);

  GradId resolve(GradId id) override;
  GradId record(std::unique_ptr<Step> step) override;

 private:
  friend class Recomputed;
  GradId watch_as(GradId outer);  // a leaf that stands for a tensor of an outer tape
  void expect_unused() const;
  Recorder* outer_;
  uint32_t id_;
  bool used_ = false;
  std::vector<std::unique_ptr<Step>, PoolAllocator<std::unique_ptr<Step>>> steps_;  // null: leaves
  std::vector<std::pair<GradId, GradId>> aliases_;
  std::vector<Tensor, PoolAllocator<Tensor>> sums_;  // gradients so far, during backward
};

// While it lives, nothing is recorded in this thread.
class Pause {
 public:
  Pause() : paused_(std::exchange(Recorder::current, nullptr)) {}
  ~Pause() { Recorder::current = paused_; }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  Recorder* paused_;
};

// Runs f without keeping anything it computes except its result; backward runs f again to get
// the derivatives (Chen et al. 2016), to the same bits. f is called twice and must give the same
// result: it may read watched tensors by capture and must draw random numbers from a Random value,
// which starts anew each time.
Tensor recompute(std::function<Tensor()> f);

}  // namespace ink
