// Fibers of one operating-system thread: the host's stack resumes one at a time.
#include "cuda/emulated/fiber.h"

#include <sys/mman.h>

#include <tuple>

#include "tensor/error.h"

namespace ink::cuda::emulated {
namespace {

constexpr size_t kGuard = 4096, kStack = 128 * 1024, kRoomAbove = 64;

Context host;
Fiber* current = nullptr;
SeenThread host_seen = nullptr;
[[maybe_unused]] const void* host_bottom = nullptr;
[[maybe_unused]] size_t host_bytes = 0;

#if INK_ADDRESS_SANITIZER
void start_switch(void** fake_stack, const void* bottom, size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
void finish_switch(void* fake_stack, const void** bottom, size_t* bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
}
#else
void start_switch(void**, const void*, size_t) {}
void finish_switch(void*, const void**, size_t*) {}
#endif

}  // namespace

Fiber::Fiber() {
  void* mapped = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(mapped != MAP_FAILED, "emulated cuda: no memory for the stack of a thread");
  mprotect(mapped, kGuard, PROT_NONE);
  stack_ = static_cast<char*>(mapped) + kGuard;
}

Fiber::~Fiber() { munmap(stack_ - kGuard, kGuard + kStack); }

void Fiber::prepare(void (*body)(void*), void* argument) {
  abandon_stack();
  if (kSeesThreads) {  // forgets what its former user did there
    const Unseen unseen;
    std::ignore = mmap(stack_, kStack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  body_ = body;
  argument_ = argument;
  fake_stack_ = nullptr;
  emulated::prepare(context_, stack_, kStack - kRoomAbove, begin);
}

void Fiber::resume() {
  current = this;
  host_seen = seen_thread();
  void* fake_stack = nullptr;
  start_switch(&fake_stack, stack_, kStack);
  if (seen_) act_as(seen_);
  switch_context(host, context_);
  finish_switch(fake_stack, nullptr, nullptr);
  current = nullptr;
}

void Fiber::begin() {
  finish_switch(nullptr, &host_bottom, &host_bytes);
  current->body_(current->argument_);
  leave(true);
}

void Fiber::pause() { leave(false); }

void Fiber::leave(bool for_good) {
  Fiber& self = *current;
  start_switch(for_good ? nullptr : &self.fake_stack_, host_bottom, host_bytes);
  if (self.seen_) act_as(host_seen);
  switch_context(self.context_, host);
  finish_switch(self.fake_stack_, &host_bottom, &host_bytes);
}

bool Fiber::running() { return current != nullptr; }

bool Fiber::overflows_at(const void* address) const {
  return address >= stack_ - kGuard && address < stack_;
}

char* Fiber::abandon_stack() {
  unpoison(stack_, kStack);
  return stack_ + kStack - kRoomAbove;
}

}  // namespace ink::cuda::emulated
