// Tensor: a cheap handle to (storage, shape, strides, dtype).
//
// Copies share memory; ops never write their inputs.
#pragma once
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace ink {

// Which step of which tape produced a tensor; tape 0 means "nobody is watching".
struct GradId {
  uint32_t tape = 0, step = 0;
  bool operator==(const GradId&) const = default;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage, converts to false
  // uninitialised, contiguous
  explicit Tensor(Shape shape, Dtype dtype = Dtype::f32, Device device = Device::cpu);
  Tensor(StorageRef storage, Shape shape, Strides strides, int64_t offset, Dtype dtype);

  explicit operator bool() const { return static_cast<bool>(storage_); }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }  // in elements; 0: a stretched extent
  Dtype dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device::cpu; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_[axis]; }
  int64_t size() const { return size_; }
  size_t bytes() const { return static_cast<size_t>(size_) * size_of(dtype_); }
  bool is_contiguous() const { return contiguous_; }
  const StorageRef& storage() const { return storage_; }
  int64_t offset() const { return offset_; }

  // The first element, in the memory of device(). The type must be the tensor's; other elements lie
  // at multiples of strides().
  template <class T>
  T* data() {
    check_type(dtype_of<T>);
    return static_cast<T*>(storage_->data()) + offset_;
  }
  template <class T>
  const T* data() const {
    check_type(dtype_of<T>);
    return static_cast<const T*>(storage_->data()) + offset_;
  }
  // The only element of a tensor of size 1, as double. Waits for the device.
  double item() const;
  // Announces an in-place write (see Storage::version).
  void touch() { storage_->touch(); }

  GradId grad_id;

 private:
  void check_type(Dtype wanted) const {
    check(wanted == dtype_ && storage_, "tensor: read as ", name_of(wanted), ", but it is ",
          storage_ ? name_of(dtype_) : "undefined");
  }
  StorageRef storage_;
  Shape shape_;
  Strides strides_;
  int64_t offset_ = 0, size_ = 0;
  Dtype dtype_ = Dtype::f32;
  bool contiguous_ = true;
};

// Making tensors. None of these is recorded on a tape.
Tensor empty_like(const Tensor& x);  // contiguous, uninitialised, on the same device
Tensor zeros(Shape shape, Dtype dtype = Dtype::f32, Device device = Device::cpu);
Tensor full(Shape shape, double value, Dtype dtype = Dtype::f32, Device device = Device::cpu);
Tensor arange(int64_t n, Dtype dtype = Dtype::i32);
template <class T>
Tensor from(std::span<const T> values, Shape shape);
template <class T>
Tensor from(const std::vector<T>& values) {
  return from(std::span<const T>(values), Shape{static_cast<int64_t>(values.size())});
}
// A row-major copy of the elements; T must be the tensor's type.
template <class T>
std::vector<T> to_vector(const Tensor& x);

// The same values on another device, contiguous; x itself when it is there already. Not recorded.
Tensor to(const Tensor& x, Device device);
// The values of x in the element type and on the device of `pattern`. Not recorded.
Tensor like(const Tensor& pattern, const Tensor& x);
// In the host's memory, contiguous, 16-bit numbers widened to f32: for reading results. Waits for
// the device.
Tensor on_host(const Tensor& x);
// `to` for an index tensor that ops read (ids, offsets, labels): a host's tensor is sent to the
// device once, as long as nobody writes to it.
Tensor index_on(Device device, const Tensor& x);
// n numbers i32 on the CUDA device that follow from an index tensor of the host: `fill` writes them
// and reads nothing but this tensor's memory and what it holds itself (Storage::derived).
Tensor derived_on_device(const Tensor& x, const Derivation& how, int64_t n,
                         const std::function<void(int32_t* to)>& fill);
// Other numbers for a host's index tensor that recorded work reads (cuda/graph.h): written in
// place, with all that the device has of it. Nothing is announced by touch().
void renew(Tensor& x, const Tensor& source);

// Same values in row-major memory; x itself (sharing memory) when it already is. Keeps grad_id.
Tensor contiguous(const Tensor& x);
// A fresh contiguous copy, never sharing memory; not watched by any tape.
Tensor clone(const Tensor& x);
// Values converted to another element type; x itself when it already has it. Fractions are cut off;
// a value that an integer type cannot hold (NaN too) is an Error. Not recorded: see the op `cast`.
Tensor converted(const Tensor& x, Dtype dtype);
// A view of the same storage, not recorded; every element must lie inside the storage.
Tensor view(const Tensor& x, Shape shape, Strides strides, int64_t offset);
// Copies source, from whichever device, into target (same shape and dtype, target contiguous) and
// touches it.
void copy_into(Tensor& target, const Tensor& source);

bool equal_bits(const Tensor& a, const Tensor& b);  // same shape, dtype and bytes
// Prints values (long axes elided), shape and dtype.
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace ink
