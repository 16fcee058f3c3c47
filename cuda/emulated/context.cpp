// Switching stacks: a dozen instructions on x86-64, ucontext elsewhere (ten times slower).
#include "cuda/emulated/context.h"

namespace ink::cuda::emulated {

#if defined(__x86_64__)

// A function call keeps rbp, rbx and r12 to r15, so these and the stack are all there is to save.
extern "C" void ink_switch_stacks(void** save, void* to);
asm(R"(
  .text
  .globl ink_switch_stacks
  .type ink_switch_stacks, @function
ink_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size ink_switch_stacks, .-ink_switch_stacks
)");

void prepare(Context& context, void* stack, size_t bytes, void (*entry)()) {
  constexpr size_t kRegisters = 6;
  // `ret` takes entry's address; then the stack is as after a call: 8 bytes off a multiple of 16.
  auto* top = reinterpret_cast<void**>(static_cast<char*>(stack) + bytes - 16);
  *top = reinterpret_cast<void*>(entry);
  for (size_t i = 1; i <= kRegisters; ++i) top[-static_cast<ptrdiff_t>(i)] = nullptr;
  context.stack_pointer = top - kRegisters;
}

void switch_context(Context& from, Context& to) {
  ink_switch_stacks(&from.stack_pointer, to.stack_pointer);
}

#else

void prepare(Context& context, void* stack, size_t bytes, void (*entry)()) {
  getcontext(&context.registers);
  context.registers.uc_stack.ss_sp = stack;
  context.registers.uc_stack.ss_size = bytes;
  context.registers.uc_link = nullptr;
  makecontext(&context.registers, entry, 0);
}

void switch_context(Context& from, Context& to) { swapcontext(&from.registers, &to.registers); }

#endif

}  // namespace ink::cuda::emulated
