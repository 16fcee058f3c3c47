// Every op, forward and backward, in f32: GB/s, GFLOP/s and the share of what this machine can do.
//
//   ops [NAME]      all ops and in-place updates, or those whose name contains NAME
//
// Inputs are the samples that ops mark for the bench, and the least they have to do is what the
// samples state; bytes that they do not state are those of inputs and result, each counted once.
// "+ back" is forward and backward together. The limit of a line is the slower of two: its bytes at
// the rate at which that much memory is read, its operations at the rate of fused multiply-adds,
// both measured. Times are medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "autograd/tape.h"
#include "bench/machine_limit.h"
#include "tensor/op_table.h"
#include "tensor/optimizer_steps.h"
#include "tensor/parallel.h"
#include "tensor/update.h"

namespace ink {
namespace {

template <class F>
double median_seconds(F&& f) {
  f();
  std::vector<double> times;
  const auto begin = std::chrono::steady_clock::now();
  const auto since = [](auto start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  while (times.size() < 5 || (times.size() < 50 && since(begin) < 0.2)) {
    const auto start = std::chrono::steady_clock::now();
    f();
    times.push_back(since(start));
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

// One line of the table: what was timed, and what it has to do at least.
struct Line {
  std::string name;
  const char* what;
  double bytes, flops;
};

// Bytes a second that this machine reads from as much memory as a line touches: from a cache where
// it fits into one. Measured at the power of two below, and `again` on demand; the best counts.
double read_rate(double bytes, bool again = false) {
  static std::map<int64_t, double> known;
  int64_t size = int64_t{64} << 10;
  while (static_cast<double>(2 * size) <= bytes && size < int64_t{256} << 20) size *= 2;
  double& rate = known[size];
  if (rate == 0 || again) rate = std::max(rate, 1e9 * bench::read_limit(size));
  return rate;
}

double flop_rate() {
  static const double rate = 1e9 * bench::fma_limit();
  return rate;
}

template <class F>
void time_line(const Line& line, double working_set, F&& f) {
  const double seconds = median_seconds(f);
  const double computing = line.flops / flop_rate();
  double moving = line.bytes / read_rate(working_set);
  // Other programs only ever take time away: a limit that was beaten had been measured too low.
  for (int tries = 0; tries < 5 && moving > seconds; ++tries)
    moving = line.bytes / read_rate(working_set, true);
  const double least = std::max(moving, computing);
  std::printf("%-44s %-8s %9.3f ms %8.1f GB/s", line.name.c_str(), line.what, 1e3 * seconds,
              line.bytes / seconds / 1e9);
  if (line.flops > 0) {
    std::printf(" %8.1f GFLOP/s", line.flops / seconds / 1e9);
  } else {
    std::printf(" %16s", "");
  }
  std::printf(" %6.0f %%\n", 100 * least / seconds);
}

double bytes_of(const std::vector<Tensor>& tensors) {
  double bytes = 0;
  for (const Tensor& t : tensors) bytes += static_cast<double>(t.bytes());
  return bytes;
}

bool is_view(const Tensor& y, const std::vector<Tensor>& in) {
  return std::ranges::any_of(
      in, [&](const Tensor& x) { return x.storage().get() == y.storage().get(); });
}

void measure(const OpCase& c) {
  std::vector<Tensor> in = inputs_as(c.sample, Dtype::f32);
  const Tensor y = c.sample.call(in), dy = full(y.shape(), 1, y.dtype());
  const Work &forward = c.sample.forward, &backward = c.sample.backward;
  const bool view = is_view(y, in);
  const double touched = bytes_of(in) + static_cast<double>(y.bytes());
  const double moved = view ? 0 : forward.elements > 0 ? 4 * forward.elements : touched;
  if (view) {
    std::printf("%-44s %-8s      view\n", c.name().c_str(), "forward");
  } else {
    time_line({c.name(), "forward", moved, forward.flops}, moved, [&] { c.sample.call(in); });
  }
  if (view && backward.elements == 0) return;  // so is its gradient
  const Line both{c.name(), "+ back", moved + 4 * backward.elements,
                  forward.flops + backward.flops};
  time_line(both, both.bytes, [&] {
    Tape tape;
    for (Tensor& x : in) {
      if (is_float(x.dtype())) tape.watch(x);
    }
    const Tensor z = c.sample.call(in);
    if (tape.resolve(z.grad_id).tape) tape.backward(z, dy);
  });
}

// What a training step does to parameters of the size of an FFN weight, in place.
void measure_updates(const std::string& wanted) {
  const Shape shape{3072, 768};
  Tensor w = randn(shape, 1, Dtype::f32), m = zeros(shape), v = zeros(shape);
  const Tensor g = randn(shape, 2, Dtype::f32);
  const AdamStep adam{.learning_rate = 1e-4, .weight_decay = 0.01};
  const SgdStep sgd{.learning_rate = 1e-4, .momentum = 0.9};
  const auto line = [&](const char* name, double passes, const auto& f) {
    if (std::string(name).find(wanted) == std::string::npos) return;
    const double bytes = passes * static_cast<double>(w.bytes());
    time_line({std::string(name) + "/3072x768", "in place", bytes, 0}, bytes, f);
  };
  line("adamw_update", 7, [&] { adamw_update(w, g, m, v, adam); });
  line("lamb_update", 11, [&] { lamb_update(w, g, m, v, adam, true); });
  line("sgd_update", 5, [&] { sgd_update(w, g, m, sgd); });
  line("add_gradient", 3, [&] { add_gradient(m, g); });
  line("scale_in_place", 2, [&] { scale_in_place(w, 1); });
  line("squared_norm", 1, [&] { squared_norm(g); });
  line("all_finite", 1, [&] { all_finite(g); });
}

int run(const std::string& wanted) {
  std::printf("limits with %d threads: %.0f GFLOP/s, %.1f GB/s from memory\n", threads(),
              flop_rate() / 1e9, read_rate(256e6) / 1e9);
  for (const OpEntry& op : all_ops()) {
    if (std::string(op.name).find(wanted) == std::string::npos) continue;
    for (Sample& s : op.samples()) {
      if (s.bench) measure({&op, std::move(s)});
    }
  }
  measure_updates(wanted);
  return 0;
}

}  // namespace
}  // namespace ink

int main(int argc, char** argv) { return ink::run(argc > 1 ? argv[1] : ""); }
