// Every op, forward and backward, in f32: GB/s, GFLOP/s and the share of what this machine can do.
//
//   ops [NAME]      all ops, or those whose name contains NAME
//
// Inputs are the samples that ops mark for the bench. Bytes are those of inputs and results, each
// counted once, so a share above 1 means that caches helped. The limit of a line is the slower of
// two: its bytes at the measured read bandwidth, its operations at the measured rate of fused
// multiply-adds. Times are medians.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "autograd/tape.h"
#include "bench/machine_limit.h"
#include "tensor/op_table.h"
#include "tensor/parallel.h"

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

struct Limit {
  double flops, bytes;  // a second
};

double bytes_of(const std::vector<Tensor>& tensors) {
  double bytes = 0;
  for (const Tensor& t : tensors) bytes += static_cast<double>(t.bytes());
  return bytes;
}

void print_line(const std::string& name, const char* what, double seconds, double bytes,
                double flops, const Limit& limit) {
  const double least = std::max(bytes / limit.bytes, flops / limit.flops);
  std::printf("%-44s %-8s %9.3f ms %8.1f GB/s", name.c_str(), what, 1e3 * seconds,
              bytes / seconds / 1e9);
  if (flops > 0) {
    std::printf(" %8.1f GFLOP/s", flops / seconds / 1e9);
  } else {
    std::printf(" %16s", "");
  }
  std::printf(" %6.0f %%\n", 100 * least / seconds);
}

void measure(const OpCase& c, const Limit& limit) {
  std::vector<Tensor> in = inputs_as(c.sample, Dtype::f32);
  Tensor y = c.sample.call(in);
  const double bytes = bytes_of(in) + static_cast<double>(y.bytes());
  print_line(c.name(), "forward", median_seconds([&] { c.sample.call(in); }), bytes, c.sample.flops,
             limit);
  const Tensor dy = full(y.shape(), 1, y.dtype());
  const double both = median_seconds([&] {
    Tape tape;
    for (Tensor& x : in) {
      if (is_float(x.dtype())) tape.watch(x);
    }
    const Tensor z = c.sample.call(in);
    if (tape.resolve(z.grad_id).tape) tape.backward(z, dy);
  });
  print_line(c.name(), "+ back", both, 3 * bytes, 3 * c.sample.flops, limit);
}

int run(const std::string& wanted) {
  const Limit limit{1e9 * bench::fma_limit(), 1e9 * bench::read_limit(int64_t{256} << 20)};
  std::printf("limits with %d threads: %.0f GFLOP/s, %.1f GB/s\n", threads(), limit.flops / 1e9,
              limit.bytes / 1e9);
  for (const OpCase& c : all_cases()) {
    if (c.sample.bench && std::string(c.op->name).find(wanted) != std::string::npos)
      measure(c, limit);
  }
  return 0;
}

}  // namespace
}  // namespace ink

int main(int argc, char** argv) { return ink::run(argc > 1 ? argv[1] : ""); }
