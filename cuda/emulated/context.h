// A point of execution that can be left and returned to: a stack, and the registers kept on it.
#pragma once
#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace ink::cuda::emulated {

#if defined(__x86_64__)
struct Context {
  void* stack_pointer = nullptr;
};
#else
struct Context {
  ucontext_t registers = {};
};
#endif

// The first switch to `context` calls entry, which must not return, on the given stack.
void prepare(Context& context, void* stack, size_t bytes, void (*entry)());
// Leaves `from`, which a later switch continues, for `to`.
void switch_context(Context& from, Context& to);

}  // namespace ink::cuda::emulated
