// POSIX shared memory by name; it begins full of zeros, which is what an empty mailbox is.
#include "cuda/emulated/mailboxes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tensor/error.h"

namespace ink::cuda::emulated {

struct Mailboxes::Shared {
  std::atomic<int> came[256];
  Mail first;  // of size², those of a sender side by side
};

size_t Mailboxes::bytes() const {
  return sizeof(Shared) + sizeof(Mail) * static_cast<size_t>(size_) * static_cast<size_t>(size_);
}

Mailboxes::Mailboxes(const std::string& name, int rank, int size)
    : rank_(rank), size_(size), name_(name) {
  file_ = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file_ < 0) fail("emulated nccl: no shared memory ", name, ": ", std::strerror(errno));
  void* mapped = MAP_FAILED;
  if (ftruncate(file_, static_cast<off_t>(bytes())) == 0)
    mapped = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  check(mapped != MAP_FAILED, "emulated nccl: no shared memory of ", bytes(), " bytes");
  shared_ = static_cast<Shared*>(mapped);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_start = rank;
  lock.l_len = 1;
  check(fcntl(file_, F_SETLK, &lock) == 0, "emulated nccl: rank ", rank, " has come twice");
  shared_->came[rank] = 1;
}

Mailboxes::~Mailboxes() {
  if (rank_ == 0) shm_unlink(name_.c_str());
  munmap(shared_, bytes());
  close(file_);
}

bool Mailboxes::all_came() const {
  for (int r = 0; r < size_; ++r)
    if (shared_->came[r] == 0) return false;
  if (rank_ == 0) shm_unlink(name_.c_str());  // nothing stays behind, however they end
  return true;
}

bool Mailboxes::is_gone(int rank) const {
  if (rank == rank_ || shared_->came[rank] == 0) return false;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_start = rank;
  lock.l_len = 1;
  return fcntl(file_, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

Mail& Mailboxes::mail(int from, int to) const { return (&shared_->first)[from * size_ + to]; }

}  // namespace ink::cuda::emulated
