// Σᵢ wᵢ gᵢ over micro-batches: the gradient of a batch that is too large for memory, and its norm.
//
//   GradientSum sum(parameters);
//   for (…) {
//     Tape tape;
//     tape.watch(parameters);
//     Gradients gradients = tape.backward(loss(batch));
//     sum.add(parameters, gradients, rows_that_count);
//   }
//   const double norm = sum.norm(parameters);
//   optimizer.step(parameters, sum.gradients(), rate, clip_factor(norm, 1.0) / sum.weight());
//   sum.clear();
//
// With weights = rows that count in each mean loss, k micro-batches give the gradient of one batch
// k times as large. The sums are added in the order of the calls; nothing depends on threads.
//
// On the CUDA device the sums of several micro-batches are f32, whatever the parameters are; the
// norm is found by Optimizer::step(…, StepSettings), for which nothing waits.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "autograd/communicator.h"
#include "autograd/tape.h"
#include "tensor/parameters.h"

namespace ink {

class GradientSum {
 public:
  explicit GradientSum(const Parameters& parameters) : sums_(parameters.size()) {}

  // Adds weight·gradient of every trainable parameter. Takes the gradients out of `gradients`, so
  // that they can be changed in place. weight ≥ 0; with 0 nothing is added.
  void add(const Parameters& parameters, Gradients& gradients, double weight = 1);
  // The same of gradients one for each parameter, undefined where there is none.
  void add(const Parameters& parameters, std::vector<Tensor> gradients, double weight = 1);

  // Adds up the sums of all processes, in order of rank, so that all of them hold the same bits.
  // The weights of this process are multiplied by `unit` first, where they were taken relative to
  // something of its own. A parameter without a gradient anywhere stays without; with one process
  // nothing happens. Gradients travel in f32, those of f64 are an Error: through the host's memory,
  // or where the processes join their devices, from one to the other without it. Then `numbers`,
  // scalars on the device in f32, are added up along with them; an undefined one counts as 0.
  void sum_over(Communicator& processes, const Parameters& parameters, double unit = 1,
                std::span<Tensor> numbers = {});

  // One for each parameter, in order; undefined where the losses do not depend on it.
  std::span<const Tensor> gradients() const { return sums_; }
  double weight() const { return weight_; }  // Σ wᵢ

  // On the CPU: the norm of all gradients as one vector, divided by weight(). A gradient that
  // holds NaN or
  // infinity is an Error that names its parameter; skip the step or lower the learning rate.
  double norm(const Parameters& parameters) const;

  void clear();

 private:
  void multiply(double unit);
  void sum_on_devices(Communicator& processes, const Parameters& parameters, double unit,
                      std::span<Tensor> numbers);
  void add_on_device(std::vector<Tensor> gradients, double weight);
  // Through one array of all gradients: one exchange rather than one for each parameter.
  std::vector<bool> defined_anywhere(Communicator& processes, const Parameters& parameters);
  void write_flat(const std::vector<bool>& defined, const Parameters& parameters);
  void read_flat(const std::vector<bool>& defined, const Parameters& parameters);
  std::vector<Tensor> sums_;
  std::vector<float> flat_;  // kept for the next step
  double weight_ = 0;
};

// What makes a gradient of this norm at most `longest` long: longest/norm, or 1 when it is short
// enough (Pascanu et al. 2013). longest = 0: never clipped.
double clip_factor(double norm, double longest);

// What the Error about a gradient with NaN or infinity says.
std::string not_finite(const std::string& parameter);

}  // namespace ink
