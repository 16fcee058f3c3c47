// A fiber: a function on a stack of its own, which pauses in its midst and is resumed later.
#pragma once
#include "cuda/emulated/context.h"
#include "cuda/emulated/sanitizers.h"

namespace ink::cuda::emulated {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() begins body(argument). What the fiber did before is forgotten.
  void prepare(void (*body)(void*), void* argument);
  // The thread that ThreadSanitizer is to see while the fiber runs.
  void set_seen(SeenThread seen) { seen_ = seen; }
  // Runs the fiber until it pauses or its body ends.
  void resume();
  // Called on a fiber: goes back to where it was resumed.
  static void pause();

  static bool running();
  // Whether the address lies in the page below the stack, where it would overflow.
  bool overflows_at(const void* address) const;
  // Forgets all frames: execution may go on at the address returned, the stack's upper end.
  char* abandon_stack();
  SeenThread seen() const { return seen_; }

 private:
  static void begin();
  static void leave(bool for_good);

  Context context_;
  char* stack_ = nullptr;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  void* fake_stack_ = nullptr;
  SeenThread seen_ = nullptr;
};

}  // namespace ink::cuda::emulated
