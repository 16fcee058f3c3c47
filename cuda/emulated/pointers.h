// The pointers that a kernel is given must lead to memory of the device.
#pragma once
#include <type_traits>

namespace ink::cuda::emulated {

// Null, or memory of a tensor on the device, its end included, or pinned memory of the host.
bool kernel_may_have(const void* p);

// Raises Error "cuda: <kernel>: argument <at>: …" for a pointer that it may not have.
void expect_device_pointer(const char* kernel, int at, const void* p);

// The same for all arguments that are pointers. Pointers inside of structs are not looked at.
template <class... A>
void expect_device_pointers(const char* kernel, const A&... arguments) {
  int at = 0;
  const auto look = [&](const auto& argument) {
    ++at;
    using T = std::remove_cvref_t<decltype(argument)>;
    if constexpr (std::is_pointer_v<T> && std::is_object_v<std::remove_pointer_t<T>>)
      expect_device_pointer(kernel, at, argument);
  };
  (look(arguments), ...);
}

}  // namespace ink::cuda::emulated
