// The handler of SIGSEGV.
#include "cuda/emulated/faults.h"

#include <ucontext.h>
#include <unistd.h>
#include <csignal>

#include <cstdint>
#include <string>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/fiber.h"
#include "cuda/emulated/scheduler.h"

namespace ink::cuda::emulated {
namespace {

struct sigaction before = {};
const void* fault_address = nullptr;
bool fault_writes = false;

std::string place_of_fault() {
  if (arena().holds(fault_address)) return arena().place_of(fault_address);
  if (const char* name = scheduler().shared().near(fault_address))
    return std::string("memory outside of the shared array '") + name + "'";
  if (scheduler().fiber().overflows_at(fault_address))
    return "memory beyond its stack: too many local variables";
  if (reinterpret_cast<uintptr_t>(fault_address) < 4096) return "a null pointer";
  return "memory that is not the device's";
}

// Where a kernel's thread goes on after its fault, in place of the access.
[[noreturn]] void end_kernel() {
  scheduler().give_up(std::string(fault_writes ? "writes " : "reads ") + place_of_fault());
}

#if defined(__x86_64__)
bool redirect(void* context, const char* stack_top) {
  constexpr greg_t kWrite = 2;  // bit of a page fault's error code
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  fault_writes = registers[REG_ERR] & kWrite;
  registers[REG_RIP] = reinterpret_cast<greg_t>(end_kernel);
  registers[REG_RSP] = reinterpret_cast<greg_t>(stack_top) - 8;  // as after a call
  return true;
}
#else
bool redirect(void*, const char*) { return false; }
#endif

void handle(int, siginfo_t* info, void* context) {
  fault_address = info->si_addr;
  if (Fiber::running()) {
    if (redirect(context, scheduler().fiber().abandon_stack())) return;
  } else if (arena().holds(fault_address)) {
    constexpr char kMessage[] =
        "emulated cuda: the host touches memory of the device: copy the tensor with "
        "to(x, Device::cpu)\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  }
  sigaction(SIGSEGV, &before, nullptr);  // which sees the same fault again
}

// A kernel that has no stack left needs another one for the handler.
void give_signal_stack() {
  thread_local char stack[64 * 1024];
  stack_t now = {};
  if (sigaltstack(nullptr, &now) == 0 && !(now.ss_flags & SS_DISABLE)) return;
  const stack_t own = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  sigaltstack(&own, nullptr);
}

}  // namespace

void catch_faults() {
  thread_local const bool has_stack = (give_signal_stack(), true);
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    return sigaction(SIGSEGV, &action, &before) == 0;
  }();
  (void)has_stack, (void)installed;
}

}  // namespace ink::cuda::emulated
