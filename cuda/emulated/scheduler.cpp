// Threads run until they wait or end; when none can run, a barrier or a meeting must be complete.
#include "cuda/emulated/scheduler.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <vector_types.h>
#include "cuda/emulated/arena.h"
#include "tensor/error.h"

// CUDA's names. NOLINTBEGIN(readability-identifier-naming)
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
// NOLINTEND(readability-identifier-naming)

namespace ink::cuda::emulated {

std::ostream& operator<<(std::ostream& out, Site site) {
  return out << site.file << ':' << site.line;
}

namespace {

std::string text_of(Site site) {
  std::ostringstream out;
  out << site;
  return out.str();
}

// Calls f(lane) for every lane of a mask.
template <class F>
void for_lanes(unsigned mask, const F& f) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (mask >> lane & 1) f(lane);
  }
}

bool same(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || std::string_view(a.file) == b.file);
}

}  // namespace

// ── the threads of a block ──────────────────────────────────────────────────────────────────────

void Scheduler::run_block(int threads, size_t shared, const std::function<void()>& body) {
  size_ = threads;
  next_ = 0;
  body_ = &body;
  shared_.begin_block(shared);
  for (int i = 0; i < size_; ++i) threads_[i].state = State::fresh, threads_[i].copies.clear();
  std::iota(order_.begin(), order_.begin() + size_, 0);
  shuffle_order();
  start_threads();
  while (count(State::done) < size_) {
    if (!release_meetings() && !release_barrier()) expect_progress();
    resume_ready();
  }
  const char* overrun = shared_.overrun();
  check(!overrun, "something was written outside of the shared array '", overrun, "'");
}

// Comes after what the stream has done, and after what this thread, which made its stack.
SeenThread Scheduler::new_seen() const {
  char point = 0;
  const SeenThread self = seen_thread();
  release(&point);
  act_as(seen_by_);
  acquire(&point);
  const SeenThread made = apart_ ? new_seen_thread() : seen_by_;
  act_as(self);
  return made;
}

void Scheduler::join_seen() {
  const size_t used = std::exchange(fibers_in_use_, 0);
  if (!apart_) return;
  char end = 0;
  const SeenThread self = seen_thread();
  for (size_t i = 0; i < used; ++i) {
    act_as(fibers_[i]->seen());
    release(&end);
    act_as(self);
    end_seen_thread(fibers_[i]->seen());
  }
  act_as(seen_by_);
  acquire(&end);
  act_as(self);
}

// A fiber carries one thread after another until one of them waits: threads that never do cost
// no switch. Threads seen apart have a fiber each, whose stack nobody else uses.
void Scheduler::carry(void* self) {
  auto& s = *static_cast<Scheduler*>(self);
  do {
    s.run_next_thread();
  } while (!s.apart_ && s.next_ < s.size_);
}

void Scheduler::run_next_thread() {
  become(order_[next_++]);
  threads_[current_].fiber = fibers_[fibers_in_use_ - 1].get();
  (*body_)();
  threads_[current_].state = State::done;
}

void Scheduler::start_threads() {
  if (!apart_) fibers_in_use_ = 0;
  while (next_ < size_) {
    Fiber& fiber = next_fiber();
    fiber.prepare(carry, this);
    if (kSeesThreads) fiber.set_seen(new_seen());
    fiber.resume();
    raise_failure();
  }
}

Fiber& Scheduler::next_fiber() {
  if (fibers_in_use_ == fibers_.size()) fibers_.push_back(std::make_unique<Fiber>());
  return *fibers_[fibers_in_use_++];
}

void Scheduler::resume_ready() {
  shuffle_order();
  for (int i = 0; i < size_; ++i) {
    Thread& t = threads_[order_[i]];
    if (t.state != State::ready) continue;
    become(order_[i]);
    t.fiber->resume();
    raise_failure();
  }
}

void Scheduler::become(int thread) {
  current_ = thread;
  threadIdx = {static_cast<unsigned>(thread), 0, 0};
}

// Fisher and Yates, with xorshift64*.
void Scheduler::shuffle_order() {
  if (seed_ == 0) return;
  if (random_ == 0) random_ = seed_ * 0x9e3779b97f4a7c15;
  for (int i = size_ - 1; i > 0; --i) {
    random_ ^= random_ >> 12, random_ ^= random_ << 25, random_ ^= random_ >> 27;
    const uint64_t word = random_ * 0x2545f4914f6cdd1d >> 32;
    std::swap(order_[i], order_[word % static_cast<uint64_t>(i + 1)]);
  }
}

// ── what a running thread does ──────────────────────────────────────────────────────────────────

void Scheduler::barrier(Site site) {
  Thread& t = threads_[current_];
  t.site = site;
  t.state = State::at_barrier;
  Fiber::pause();
}

void Scheduler::meet(Site site, unsigned mask, Exchange exchange, void* brought, Memory memory) {
  Thread& t = threads_[current_];
  if (!(mask >> current_ % kLanes & 1)) {
    give_up("the mask at " + text_of(site) + " leaves out the lane that gives it");
  }
  t.site = site;
  t.mask = mask;
  t.exchange = exchange;
  t.brought = brought;
  t.memory = memory;
  t.state = State::at_meeting;
  Fiber::pause();
}

void Scheduler::give_up(std::string reason) {
  failure_ = std::move(reason) + ", thread " + std::to_string(current_);
  failed_ = true;
  for (;;) Fiber::pause();
}

void Scheduler::raise_failure() {
  if (!failed_) return;
  failed_ = false;
  comes_after(fiber().seen());
  fail("", failure_);
}

// ── when all wait ───────────────────────────────────────────────────────────────────────────────

int Scheduler::count(State state) const {
  return static_cast<int>(std::count_if(threads_.begin(), threads_.begin() + size_,
                                        [=](const Thread& t) { return t.state == state; }));
}

bool Scheduler::release_barrier() {
  if (count(State::at_barrier) < size_) return false;
  expect_one_barrier();
  for (int i = 0; i < size_; ++i) threads_[i].state = State::ready;
  if (apart_) {
    char point = 0;
    const SeenThread self = seen_thread();
    for (int i = 0; i < size_; ++i) act_as(threads_[i].fiber->seen()), release(&point);
    for (int i = 0; i < size_; ++i) act_as(threads_[i].fiber->seen()), acquire(&point);
    act_as(self);
  }
  return true;
}

void Scheduler::expect_one_barrier() const {
  for (int i = 1; i < size_; ++i) {
    check(same(threads_[i].site, threads_[0].site), "threads 0 and ", i,
          " wait at different barriers: ", threads_[0].site, " and ", threads_[i].site);
  }
}

bool Scheduler::release_meetings() {
  bool any = false;
  for (int first = 0; first < size_; first += kLanes) {
    for (int i = first; i < first + kLanes; ++i) {
      if (threads_[i].state != State::at_meeting || !complete(i)) continue;
      release_meeting(i);
      any = true;
    }
  }
  return any;
}

// Whether all lanes that thread `at` waits for have come.
bool Scheduler::complete(int at) const {
  const Thread& t = threads_[at];
  const int first = at / kLanes * kLanes;
  bool all = true;
  for_lanes(t.mask, [&](int lane) {
    const Thread& other = threads_[first + lane];
    check(other.state != State::done, "lane ", lane, " of the mask at ", t.site,
          " has left the kernel");
    check(other.state != State::at_barrier, "lane ", lane, " of the mask at ", t.site,
          " waits at a barrier, at ", other.site);
    if (other.state != State::at_meeting) {
      all = false;
      return;
    }
    check(same(other.site, t.site), "lanes ", at - first, " and ", lane,
          " of a warp meet at different places: ", t.site, " and ", other.site);
    check(other.mask == t.mask, "lanes ", at - first, " and ", lane,
          " of a warp give different masks at ", t.site);
  });
  return all;
}

void Scheduler::release_meeting(int at) {
  const Thread& t = threads_[at];
  const int first = at / kLanes * kLanes;
  void* brought[kLanes] = {};
  for_lanes(t.mask, [&](int lane) {
    brought[lane] = threads_[first + lane].brought;
    threads_[first + lane].state = State::ready;
  });
  if (t.exchange) t.exchange(brought, t.mask);
  if (apart_ && t.memory == Memory::ordered) order_memory(first, t.mask);
}

void Scheduler::order_memory(int first, unsigned mask) {
  char point = 0;
  const SeenThread self = seen_thread();
  for_lanes(mask, [&](int lane) { act_as(threads_[first + lane].fiber->seen()), release(&point); });
  for_lanes(mask, [&](int lane) { act_as(threads_[first + lane].fiber->seen()), acquire(&point); });
  act_as(self);
}

// Nothing was complete: says what the threads wait for.
void Scheduler::expect_progress() const {
  const int waiting = count(State::at_barrier), gone = count(State::done);
  const auto* one = std::find_if(threads_.begin(), threads_.begin() + size_,
                                 [](const Thread& t) { return t.state == State::at_barrier; });
  check(waiting == 0, "", waiting, " threads wait at the barrier at ", one->site, ", ", gone,
        " have left the kernel, ", size_ - waiting - gone, " wait elsewhere");
  fail("the lanes of a warp wait for each other at different places");
}

// ── the words of cuda/emulated/block.h ──────────────────────────────────────────────────────────

Scheduler& scheduler() {
  static auto& made = *new Scheduler;
  return made;
}

void barrier(Site site) { scheduler().barrier(site); }
void meet(Site site, unsigned mask, Exchange exchange, void* brought, Memory memory) {
  scheduler().meet(site, mask, exchange, brought, memory);
}
int lane() { return scheduler().thread() % kLanes; }
void give_up(Site site, const char* reason) {
  scheduler().give_up(std::string(reason) + ", at " + text_of(site));
}
void give_up_pack(const void* p, int bytes) {
  const std::string place = arena().holds(p) ? arena().place_of(p) : "memory of its own";
  scheduler().give_up("a pack of " + std::to_string(bytes) +
                      " bytes begins off its alignment, in " + place);
}
void* shared_array(const void* key, const char* name, size_t bytes) {
  void* array = scheduler().shared().array(key, name, bytes);
  if (!array) scheduler().give_up("no room for the shared array '" + std::string(name) + "'");
  return array;
}
void* dynamic_shared() { return scheduler().shared().dynamic(); }

}  // namespace ink::cuda::emulated
