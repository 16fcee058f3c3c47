// Tensor: making, viewing, copying. Strided walks go through one loop, for_each_row.
#include "tensor/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "tensor/parallel.h"

namespace ink {
namespace {

bool is_row_major(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (int i = shape.rank(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

// Calls f(T{}) with the C++ type of a dtype.
template <class F>
void with_type(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::f32: return f(float{});
    case Dtype::f64: return f(double{});
    case Dtype::f16: return f(Float16{});
    case Dtype::bf16: return f(Bfloat16{});
    case Dtype::i64: return f(int64_t{});
    case Dtype::i32: return f(int32_t{});
    case Dtype::i8: return f(int8_t{});
    case Dtype::u8: return f(uint8_t{});
  }
}

// The first element of row n of x, rows being those of the last axis.
template <class T>
const T* row_of(const Tensor& x, int64_t n) {
  const T* row = x.data<T>();
  for (int axis = x.rank() - 1; axis-- > 0; n /= x.dim(axis)) {
    row += n % x.dim(axis) * x.strides()[axis];
  }
  return row;
}

// Copies a strided tensor into row-major memory. Where the last axis is not the dense one, tiles
// let every cache line of the source serve all the rows it holds before it is dropped.
template <class T>
void copy_strided(const Tensor& x, T* out) {
  constexpr int64_t kRows = 64, kColumns = 16;
  const int64_t C = x.rank() ? x.dim(-1) : 1, N = C ? x.size() / C : 0;
  const int64_t step = x.rank() ? x.strides()[-1] : 1;
  const int64_t width = step == 1 ? C : kColumns, grain = grain_for(C);
  parallel_for(N, step == 1 ? grain : std::max(grain, kRows), [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kRows) {
      const int64_t rows = std::min(kRows, end - first);
      std::array<const T*, kRows> row;
      for (int64_t r = 0; r < rows; ++r) row[static_cast<size_t>(r)] = row_of<T>(x, first + r);
      for (int64_t left = 0; left < C; left += width) {
        const int64_t right = std::min(C, left + width);
        for (int64_t r = 0; r < rows; ++r) {
          const T* from = row[static_cast<size_t>(r)];
          T* to = out + (first + r) * C;
          for (int64_t c = left; c < right; ++c) to[c] = from[c * step];
        }
      }
    }
  });
}

template <class T>
double as_double(T v) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, Bfloat16>) {
    return static_cast<double>(to_float(v));
  } else {
    return static_cast<double>(v);
  }
}
template <class T>
T from_double(double v) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(v));
  } else if constexpr (std::is_same_v<T, Bfloat16>) {
    return to_bfloat16(static_cast<float>(v));
  } else if constexpr (std::is_integral_v<T>) {
    // Strictly between the neighbours of the range, which are numbers of f64; NaN is not.
    constexpr double kBelow = static_cast<double>(std::numeric_limits<T>::min()) - 1,
                     kAbove = 2.0 * (uint64_t{1} << (std::numeric_limits<T>::digits - 1));
    const bool fits = (v > kBelow || v == std::numeric_limits<T>::min()) && v < kAbove;
    check(fits, "tensor: ", v, " does not fit into ", name_of(dtype_of<T>));
    return static_cast<T>(v);
  } else {
    return static_cast<T>(v);
  }
}

const void* first_byte(const Tensor& x) {
  return static_cast<const char*>(x.storage()->data()) +
         x.offset() * static_cast<int64_t>(size_of(x.dtype()));
}
void* first_byte(Tensor& x) { return const_cast<void*>(first_byte(std::as_const(x))); }

// y, contiguous and of the same shape and type, takes the values of x; both on the CUDA device.
void copy_on_device(Tensor& y, const Tensor& x) {
  if (x.size() == 0) return;
  if (x.is_contiguous()) return cuda_backend().copy(first_byte(y), first_byte(x), x.bytes());
  cuda_backend().copy_strided(first_byte(y), first_byte(x), x.shape(), x.strides(),
                              size_of(x.dtype()));
}

// The same between integers, which f64 would round.
template <class T, class S>
T from_integer(S v) {
  check(std::in_range<T>(v), "tensor: ", +v, " does not fit into ", name_of(dtype_of<T>));
  return static_cast<T>(v);
}

}  // namespace

Tensor::Tensor(Shape shape, Dtype dtype, Device device)
    : shape_(shape), strides_(row_major(shape)), size_(shape.size()), dtype_(dtype) {
  size_t total = 0;
  check(!__builtin_mul_overflow(static_cast<size_t>(size_), size_of(dtype), &total),
        "tensor: shape ", shape, " of ", name_of(dtype), " does not fit in memory");
  storage_ = StorageRef(Storage::create(total, device));
}

Tensor::Tensor(StorageRef storage, Shape shape, Strides strides, int64_t offset, Dtype dtype)
    : storage_(std::move(storage)),
      shape_(shape),
      strides_(strides),
      offset_(offset),
      size_(shape.size()),
      dtype_(dtype) {
  check(strides.rank() == shape.rank(), "tensor: strides ", strides, " for shape ", shape);
  contiguous_ = size_ == 0 || is_row_major(shape, strides);
  int64_t low = offset, high = offset;  // the first and the last element that the strides can reach
  bool countable = true;
  for (int i = 0; i < shape.rank(); ++i) {
    int64_t reach = 0;
    countable &= !__builtin_mul_overflow(std::max<int64_t>(shape[i], 1) - 1, strides[i], &reach);
    int64_t& end = reach < 0 ? low : high;
    countable &= !__builtin_add_overflow(end, reach, &end);
  }
  const auto available = static_cast<int64_t>(storage_->bytes() / size_of(dtype));
  check(size_ == 0 || (countable && low >= 0 && high < available), "tensor: view ", shape,
        " with strides ", strides, " at ", offset, " leaves its storage of ", available,
        " elements");
}

double Tensor::item() const {
  check(size_ == 1, "item: expected a tensor of one element, got shape ", shape_);
  if (device() == Device::cuda) return to(*this, Device::cpu).item();
  double v = 0;
  with_type(dtype_, [&](auto t) { v = as_double(*data<decltype(t)>()); });
  return v;
}

Tensor empty_like(const Tensor& x) { return Tensor(x.shape(), x.dtype(), x.device()); }

Tensor zeros(Shape shape, Dtype dtype, Device device) {
  Tensor x(shape, dtype, device);
  if (x.size() == 0) return x;
  if (device == Device::cuda) {
    cuda_backend().clear(x.storage()->data(), x.bytes());
  } else {
    std::memset(x.storage()->data(), 0, x.bytes());
  }
  return x;
}

Tensor full(Shape shape, double value, Dtype dtype, Device device) {
  Tensor x(shape, dtype);
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    std::fill_n(x.data<T>(), x.size(), from_double<T>(value));
  });
  return to(x, device);
}

Tensor arange(int64_t n, Dtype dtype) {
  Tensor x(Shape{n}, dtype);
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t i = 0; i < n; ++i) x.data<T>()[i] = from_double<T>(static_cast<double>(i));
  });
  return x;
}

template <class T>
Tensor from(std::span<const T> values, Shape shape) {
  check(static_cast<int64_t>(values.size()) == shape.size(), "from: ", values.size(),
        " values for shape ", shape);
  Tensor x(shape, dtype_of<T>);
  if (!values.empty()) std::memcpy(x.data<T>(), values.data(), values.size_bytes());
  return x;
}
template <class T>
std::vector<T> to_vector(const Tensor& x) {
  const Tensor packed = contiguous(to(x, Device::cpu));
  const T* data = packed.data<T>();
  return std::vector<T>(data, data + packed.size());
}
#define INK_INSTANTIATE(T)                            \
  template Tensor from<T>(std::span<const T>, Shape); \
  template std::vector<T> to_vector<T>(const Tensor& x);
INK_INSTANTIATE(float)
INK_INSTANTIATE(double)
INK_INSTANTIATE(int64_t)
INK_INSTANTIATE(int32_t)
INK_INSTANTIATE(int8_t)
INK_INSTANTIATE(uint8_t)
#undef INK_INSTANTIATE

Tensor to(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  const Tensor packed = contiguous(x);
  Tensor y(x.shape(), x.dtype(), device);
  if (x.size() == 0) return y;
  if (device == Device::cuda) {
    cuda_backend().upload(first_byte(y), first_byte(packed), x.bytes());
  } else {
    cuda_backend().download(first_byte(y), first_byte(packed), x.bytes());
  }
  return y;
}

Tensor like(const Tensor& pattern, const Tensor& x) {
  return to(converted(x, pattern.dtype()), pattern.device());
}

Tensor on_host(const Tensor& x) {
  return contiguous(to(converted(x, wide(x.dtype())), Device::cpu));
}

Tensor index_on(Device device, const Tensor& x) {
  if (x.device() == device || device == Device::cpu) return to(x, device);
  Storage* mirror = x.storage()->mirror();
  mirror->retain();
  return Tensor(StorageRef(mirror), x.shape(), x.strides(), x.offset(), x.dtype());
}

Tensor derived_on_device(const Tensor& x, const Derivation& how, int64_t n,
                         const std::function<void(int32_t* to)>& fill) {
  Storage* made =
      x.storage()->derived(how, static_cast<size_t>(n) * sizeof(int32_t),
                           [fill](std::byte* to) { fill(reinterpret_cast<int32_t*>(to)); });
  made->retain();
  return Tensor(StorageRef(made), {n}, row_major({n}), 0, Dtype::i32);
}

void renew(Tensor& x, const Tensor& source) {
  check(x.device() == Device::cpu && source.device() == Device::cpu && x.is_contiguous() &&
            source.is_contiguous() && x.dtype() == source.dtype() && x.shape() == source.shape(),
        "renew: expected two contiguous index tensors of the host, alike in type and shape, got ",
        x.shape(), " and ", source.shape());
  std::memcpy(first_byte(x), first_byte(source), x.bytes());
  x.storage()->renew_derived();
}

Tensor contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  Tensor y = clone(x);
  y.grad_id = x.grad_id;
  return y;
}

Tensor clone(const Tensor& x) {
  check(static_cast<bool>(x), "clone: expected a tensor, got an undefined one");
  Tensor y = empty_like(x);
  if (x.device() == Device::cuda) {
    copy_on_device(y, x);
    return y;
  }
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    if (x.is_contiguous()) {
      if (x.size()) std::memcpy(y.data<T>(), x.data<T>(), x.bytes());
    } else {
      copy_strided(x, y.data<T>());
    }
  });
  return y;
}

Tensor converted(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  const Tensor packed = contiguous(x);
  Tensor y(x.shape(), dtype, x.device());
  if (x.device() == Device::cuda) {
    if (x.size())
      cuda_backend().convert(first_byte(y), dtype, first_byte(packed), x.dtype(), x.size());
    return y;
  }
  with_type(x.dtype(), [&](auto s) {
    with_type(dtype, [&](auto t) {
      using S = decltype(s);
      using T = decltype(t);
      const S* in = packed.data<S>();
      T* out = y.data<T>();
      parallel_for(x.size(), grain_for(1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          if constexpr (std::is_integral_v<S> && std::is_integral_v<T>) {
            out[i] = from_integer<T>(in[i]);
          } else {
            out[i] = from_double<T>(as_double(in[i]));
          }
        }
      });
    });
  });
  return y;
}

Tensor view(const Tensor& x, Shape shape, Strides strides, int64_t offset) {
  check(static_cast<bool>(x), "view: expected a tensor to view as ", shape,
        ", got an undefined one");
  return Tensor(x.storage(), shape, strides, offset, x.dtype());
}

void copy_into(Tensor& target, const Tensor& source) {
  check(target && source, "copy_into: expected two tensors, got an undefined one");
  check(target.shape() == source.shape() && target.dtype() == source.dtype(),
        "copy_into: expected ", target.shape(), ' ', name_of(target.dtype()), ", got ",
        source.shape(), ' ', name_of(source.dtype()));
  check(target.is_contiguous() && !target.storage()->borrowed(),
        "copy_into: the target should own contiguous memory");
  if (target.device() == Device::cuda && source.device() == Device::cuda) {
    copy_on_device(target, source);
  } else if (target.device() == Device::cuda) {
    const Tensor packed = contiguous(source);
    if (target.size())
      cuda_backend().upload(first_byte(target), first_byte(packed), target.bytes());
  } else if (target.size()) {
    const Tensor packed = contiguous(to(source, Device::cpu));
    std::memmove(first_byte(target), first_byte(packed), target.bytes());
  }
  target.touch();
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (a.size() == 0) return true;
  const Tensor x = contiguous(to(a, Device::cpu)), y = contiguous(to(b, Device::cpu));
  bool same = false;
  with_type(a.dtype(), [&](auto t) {
    using T = decltype(t);
    same = std::memcmp(x.data<T>(), y.data<T>(), x.bytes()) == 0;
  });
  return same;
}

}  // namespace ink
