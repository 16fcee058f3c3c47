// Memory that processes share, each of which has an emulated device: a mailbox from each to each.
//
// Whoever has come holds a lock on a byte of the memory's file, which the system takes away when a
// process ends in whatever way: so the others see that it is gone.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace ink::cuda::emulated {

struct Mail {
  static constexpr size_t kRoom = 64 * 1024;
  enum class Kind : uint32_t { slice, gathered };

  std::atomic<uint64_t> bytes;  // here now; 0: the sender may write
  uint64_t all_bytes;           // of the message of which they are a part
  Kind kind;
  char data[kRoom];
};

class Mailboxes {
 public:
  // Of the process with this rank among `size`; processes with the same name meet. Raises Error
  // when the memory cannot be had.
  Mailboxes(const std::string& name, int rank, int size);
  ~Mailboxes();
  Mailboxes(const Mailboxes&) = delete;
  Mailboxes& operator=(const Mailboxes&) = delete;

  bool all_came() const;
  bool is_gone(int rank) const;  // it had come, and its process has ended
  Mail& mail(int from, int to) const;

 private:
  struct Shared;
  size_t bytes() const;
  int rank_, size_, file_ = -1;
  std::string name_;
  Shared* shared_ = nullptr;
};

}  // namespace ink::cuda::emulated
