// What an op is. Everything the tape, the tests and the benches need is checked at compile time.
//
// An op is a struct with a name, `Saved` (what backward needs), `forward(Saved*, args…)`,
// `backward(saved, dy, wanted)` and `samples()`. A fused op also names `reference(args…)`, its
// composition of primitives. apply<Op>(args…) runs forward, and records a step when a tape watches
// one of the tensors. Where forward itself computes gradients, `Saved` has a member `wanted`, which
// is set before.
#pragma once
#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace ink {

// Says for which device an overload of a kernel is: layer_norm_forward(Cpu, …),
// layer_norm_forward(Cuda, …).
struct Cpu {};
struct Cuda {};

[[noreturn]] inline void fail_without_kernels(const char* name) {
  fail("", name, ": this build has no CUDA kernels; build with CUDA=1");
}

// Calls f(device, T{}) for the tensor's device and element type: f32 or f64 on the CPU; f32, f16 or
// bf16 on the CUDA device, whose kernels are compiled where INK_CUDA is defined.
template <class F>
void on(const char* name, const Tensor& x, F&& f) {
  check(static_cast<bool>(x), "", name, ": expected a tensor, got an undefined one");
  if (x.device() == Device::cuda) {
#if INK_CUDA
    switch (x.dtype()) {
      case Dtype::f32: return f(Cuda{}, float{});
      case Dtype::f16: return f(Cuda{}, Float16{});
      case Dtype::bf16: return f(Cuda{}, Bfloat16{});
      default: fail("", name, ": expected f32, f16 or bf16 on cuda, got ", name_of(x.dtype()));
    }
#else
    fail_without_kernels(name);
#endif
  }
  switch (x.dtype()) {
    case Dtype::f32: return f(Cpu{}, float{});
    case Dtype::f64: return f(Cpu{}, double{});
    default: fail("", name, ": expected f32 or f64, got ", name_of(x.dtype()));
  }
}

// The same for what runs on the CPU alone; tensors of another device are an Error.
template <class F>
void on_cpu(const char* name, const Tensor& x, F&& f) {
  check(static_cast<bool>(x), "", name, ": expected a tensor, got an undefined one");
  check(x.device() == Device::cpu, "", name, ": runs on the CPU only, got a tensor on ",
        name_of(x.device()));
  switch (x.dtype()) {
    case Dtype::f32: return f(Cpu{}, float{});
    case Dtype::f64: return f(Cpu{}, double{});
    default: fail("", name, ": expected f32 or f64, got ", name_of(x.dtype()));
  }
}

// One gradient for each tensor argument, in order.
// An undefined Tensor where there is none (ids, labels) or nobody wants it.
using Grads = std::vector<Tensor, PoolAllocator<Tensor>>;

// Which tensor arguments some tape watches, in order: wanted[k] says whether backward has to
// compute gradient k. At least one is wanted, so an op of one tensor need not ask.
class Wanted {
 public:
  Wanted() = default;
  explicit Wanted(std::span<const GradId> inputs) : inputs_(inputs) {}
  bool operator[](size_t k) const { return inputs_[k].tape != 0; }

 private:
  std::span<const GradId> inputs_;
};

// One recorded op, ready to run backwards. Lives in pool memory.
class Step {
 public:
  virtual ~Step() = default;
  virtual const char* name() const = 0;
  virtual Grads backward(const Tensor& dy) const = 0;
  std::vector<GradId, PoolAllocator<GradId>> inputs;  // tape 0 where nobody watches

  static void* operator new(size_t bytes) { return pool().allocate(bytes); }
  static void operator delete(void* p, size_t bytes) noexcept { pool().release(p, bytes); }
};

// Implemented by the tape (autograd/tape.h); programs that only infer never have one.
class Recorder {
 public:
  virtual ~Recorder() = default;
  // The id under which this recorder knows a tensor; tape 0 when it does not watch it.
  virtual GradId resolve(GradId id) = 0;
  virtual GradId record(std::unique_ptr<Step> step) = 0;
  static inline thread_local Recorder* current = nullptr;
};

template <class T>
concept Op = requires(const typename T::Saved& saved, const Tensor& dy, Wanted wanted) {
  { T::name } -> std::convertible_to<const char*>;
  { T::backward(saved, dy, wanted) } -> std::same_as<Grads>;
  T::samples();
};

template <class T>
concept Fused = Op<T> && requires {
  &T::reference;
};

// Off: every fused op runs its reference instead, for study and tests.
inline thread_local bool fusion = true;

template <Op T>
class StepOf final : public Step {
 public:
  typename T::Saved saved;
  const char* name() const override { return T::name; }
  Grads backward(const Tensor& dy) const override { return T::backward(saved, dy, Wanted(inputs)); }
};

namespace detail {
using Inputs = std::vector<GradId, PoolAllocator<GradId>>;

inline void note(Inputs& into, const Tensor& t) {
  into.push_back(Recorder::current->resolve(t.grad_id));
}
inline void note(Inputs& into, const std::vector<Tensor>& list) {
  for (const Tensor& t : list) note(into, t);
}
template <class A>
void note(Inputs&, const A&) {}
}  // namespace detail

template <Op T, class... Args>
Tensor apply(const Args&... args) {
  if constexpr (Fused<T>) {
    if (!fusion) return T::reference(args...);
  }
  if (!Recorder::current) return T::forward(nullptr, args...);
  auto step = std::make_unique<StepOf<T>>();
  (detail::note(step->inputs, args), ...);
  const auto watched = [](const GradId& id) { return id.tape != 0; };
  if (std::ranges::none_of(step->inputs, watched)) return T::forward(nullptr, args...);
  if constexpr (requires { step->saved.wanted; }) step->saved.wanted = Wanted(step->inputs);
  Tensor y = T::forward(&step->saved, args...);
  y.grad_id = Recorder::current->record(std::move(step));
  return y;
}

// ── samples: written once per op; tests and benches come from them ──────────────────────────────

// What a call has to do at least: operations, and elements read and written. 0 where not stated.
struct Work {
  double flops = 0, elements = 0;
};
inline Work moves(double times, int64_t elements) {
  return {.elements = times * static_cast<double>(elements)};
}

// One call of the op on given inputs. Floating-point inputs are f64; tests also run them in f32.
struct Sample {
  using Call = std::function<Tensor(std::span<const Tensor>)>;
  std::string label;       // "4x6", unique within the op
  std::vector<Tensor> in;  // tensors of integers are never differentiated
  Call call;
  double tolerance = 1e-6;  // of the gradient against central differences, relative
  // The inputs whose row n (of the first axis) alone, of all their rows, decides row n of the
  // result. The tests then ask for the same bits when the row stands alone.
  std::vector<size_t> by_row = {};
  // A large sample: timed by the bench; its gradient is differenced in one direction only.
  bool bench = false;
  // For the bench. Elements not stated: inputs and result, each once.
  Work forward = {}, backward = {};
};

// A line of the table that tests and benches read.
// Nothing in the library refers to it, so the linker drops it there.
struct OpEntry {
  const char* name;
  std::vector<Sample> (*samples)();
  bool fused;
};

template <Op T>
constexpr OpEntry describe() {
  return {T::name, &T::samples, Fused<T>};
}
// Placed before an array of entries at the end of an op's file. Aligned as one entry: else g++
// widens the alignment of arrays and leaves gaps between the files' entries.
#define INK_OPS                         \
  [[gnu::used, gnu::section("ink_ops"), \
    gnu::aligned(alignof(OpEntry))]] static const constinit OpEntry

// Reproducible inputs for samples and tests; beyond 65,536 elements the values repeat.
Tensor randn(Shape shape, uint64_t seed, Dtype dtype = Dtype::f64);  // N(0, 1)
Tensor rand_uniform(Shape shape, uint64_t seed, double low, double high, Dtype dtype = Dtype::f64);
Tensor randint(Shape shape, uint64_t seed, int64_t low, int64_t high);  // i32 in [low, high)
// x of f64 rounded to values that every floating-point type holds.
Tensor coarse(const Tensor& x);

}  // namespace ink
