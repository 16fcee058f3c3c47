// What a thread of a running kernel asks of its block: barriers, meetings of a warp's lanes, shared
// memory. Kernels use the words of cuda/emulated/kernel.h, which are made of these.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace ink::cuda::emulated {

// A place in a kernel's source.
struct Site {
  const char* file;
  int line;
};
std::ostream& operator<<(std::ostream& out, Site site);  // "layer_norm.cpp:81"

void barrier(Site site);

// Waits until all lanes of the mask have come to the same place. Then exchange(brought, mask) is
// called once, brought[l] being what lane l has brought, null outside of the mask.
using Exchange = void (*)(void* const* brought, unsigned mask);
enum class Memory : uint8_t { unordered, ordered };  // ordered: writes before are seen after
void meet(Site site, unsigned mask, Exchange exchange, void* brought, Memory memory);

int lane();
// Ends the kernel with an Error.
[[noreturn]] void give_up(Site site, const char* reason);
[[noreturn]] void give_up_pack(const void* p, int bytes);

// A pack of so many bytes is one access, at a multiple of them only.
inline void expect_pack_at(const void* p, int bytes) {
  if (reinterpret_cast<uintptr_t>(p) % static_cast<unsigned>(bytes)) give_up_pack(p, bytes);
}

// The array of this block that `key` names, made when the first thread asks for it.
void* shared_array(const void* key, const char* name, size_t bytes);
void* dynamic_shared();

}  // namespace ink::cuda::emulated
