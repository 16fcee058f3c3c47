// NCCL's calls: messages between processes, a mailbox at a time, in the order of each pair.
//
// What NCCL leaves undefined is a failure here: counts that differ between sender and receiver, and
// other calls there than here. A process that is gone is told as NCCL tells it: the calls that need
// it go on, the streams stay busy, and only ncclCommGetAsyncError says why.
#include "cuda/emulated/toolkit/nccl.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/mailboxes.h"
#include "cuda/emulated/streams.h"

struct EmulatedComm {
  int rank, size;
  std::unique_ptr<ink::cuda::emulated::Mailboxes> boxes;
  ncclResult_t failure = ncclSuccess;
  std::string text = {};
  bool told = true;  // that the last call has ended
};

namespace ink::cuda::emulated {
namespace {

// A message, as much of it as is done.
struct Message {
  bool sends;
  Mail::Kind kind;
  int peer;
  char* at;
  size_t bytes, done = 0;
  bool ended = false;
};

// The calls of a group, which begin together.
struct Group {
  int depth = 0;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Message> messages;
};
thread_local Group group;

void fail_with(EmulatedComm& comm, ncclResult_t failure, const std::string& text) {
  comm.failure = failure;
  comm.text = text;
  set_stuck(true);
}

void send_some(EmulatedComm& comm, Message& m) {
  Mail& mail = comm.boxes->mail(comm.rank, m.peer);
  if (mail.bytes != 0) return;
  const size_t n = std::min(Mail::kRoom, m.bytes - m.done);
  std::memcpy(mail.data, m.at + m.done, n);
  mail.kind = m.kind;
  mail.all_bytes = m.bytes;
  mail.bytes = n;
  m.done += n;
}

void receive_some(EmulatedComm& comm, Message& m) {
  Mail& mail = comm.boxes->mail(m.peer, comm.rank);
  const size_t n = mail.bytes;
  if (n == 0) return;
  if (mail.kind != m.kind || mail.all_bytes != m.bytes) {
    const auto what = [](Mail::Kind kind, uint64_t bytes) {
      return std::to_string(bytes) + (kind == Mail::Kind::slice ? " bytes" : " bytes of all");
    };
    return fail_with(comm, ncclInvalidUsage,
                     "rank " + std::to_string(m.peer) + " sends " +
                         what(mail.kind, mail.all_bytes) + ", rank " + std::to_string(comm.rank) +
                         " expects " + what(m.kind, m.bytes));
  }
  std::memcpy(m.at + m.done, mail.data, n);
  mail.bytes = 0;
  m.done += n;
}

// Whether any message went on. Of those with the same peer and direction the first is under way.
bool go_on(EmulatedComm& comm, std::vector<Message>& messages) {
  std::vector<bool> busy(2 * static_cast<size_t>(comm.size));
  bool any = false;
  for (Message& m : messages) {
    if (m.ended) continue;
    const size_t way = 2 * static_cast<size_t>(m.peer) + (m.sends ? 1 : 0);
    if (busy[way]) continue;
    busy[way] = true;
    const size_t before = m.done;
    m.sends ? send_some(comm, m) : receive_some(comm, m);
    if (comm.failure != ncclSuccess) return false;
    m.ended = m.done == m.bytes;
    any = any || m.done != before || m.ended;
  }
  return any;
}

void expect_all_there(EmulatedComm& comm, const std::vector<Message>& messages) {
  for (const Message& m : messages) {
    // Asked in this order: what it has sent before its end is still there.
    if (m.ended || !comm.boxes->is_gone(m.peer)) continue;
    if (!m.sends && comm.boxes->mail(m.peer, comm.rank).bytes != 0) continue;
    return fail_with(comm, ncclRemoteError,
                     "rank " + std::to_string(m.peer) + " has ended its process");
  }
}

void run(EmulatedComm& comm, std::vector<Message>& messages, cudaStream_t stream) {
  const ArenaAccess access;
  const InStream in_stream(stream);
  for (const Message& m : messages) see_access(m.at, m.bytes, !m.sends);
  const auto all_ended = [&] {
    return std::ranges::all_of(messages, [](const Message& m) { return m.ended; });
  };
  while (!all_ended() && comm.failure == ncclSuccess) {
    if (go_on(comm, messages) || comm.failure != ncclSuccess) continue;
    expect_all_there(comm, messages);
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

ncclResult_t add(ncclComm_t comm, cudaStream_t stream, const Message& m) {
  if (m.peer < 0 || m.peer >= comm->size || !arena().usable(m.at, m.bytes))
    return ncclInvalidArgument;
  if (group.comm && (group.comm != comm || group.stream != stream)) return ncclInvalidUsage;
  group.comm = comm;
  group.stream = stream;
  if (m.bytes > 0) group.messages.push_back(m);
  return ncclSuccess;
}

char* writable(const void* p) { return static_cast<char*>(const_cast<void*>(p)); }

}  // namespace
}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess: return "no error";
    case ncclUnhandledCudaError: return "unhandled cuda error";
    case ncclSystemError: return "unhandled system error";
    case ncclInternalError: return "internal error";
    case ncclInvalidArgument: return "invalid argument";
    case ncclInvalidUsage: return "invalid usage";
    case ncclRemoteError: return "remote process exited or there was a network error";
    case ncclInProgress: return "NCCL operation in progress";
  }
  return "unknown result code";
}

// ── communicators ───────────────────────────────────────────────────────────────────────────────

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static int made = 0;
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "/ink-nccl-%ld-%d", static_cast<long>(getpid()),
                ++made);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config->blocking != 0 || rank < 0 || rank >= ranks) return ncclInvalidArgument;
  *comm = new EmulatedComm{
      .rank = rank, .size = ranks, .boxes = std::make_unique<Mailboxes>(id.internal, rank, ranks)};
  (*comm)->told = false;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result) {
  if (!comm->told) {
    comm->told = comm->boxes->all_came();
    *result = comm->told ? ncclSuccess : ncclInProgress;
  } else {
    *result = comm->failure;
  }
  return ncclSuccess;
}

const char* ncclGetLastError(ncclComm_t comm) { return comm->text.c_str(); }

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  comm->told = false;
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  set_stuck(false);
  return ncclCommDestroy(comm);
}

// ── messages ────────────────────────────────────────────────────────────────────────────────────

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (group.depth == 0) return ncclInvalidUsage;
  if (--group.depth > 0) return ncclSuccess;
  Group now = std::move(group);
  group = {};
  if (!now.comm) return ncclSuccess;
  if (now.comm->failure == ncclSuccess) run(*now.comm, now.messages, now.stream);
  now.comm->told = false;
  return ncclInProgress;
}

ncclResult_t ncclSend(const void* from, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  if (group.depth == 0) return ncclInvalidUsage;  // inkstone sends within groups alone
  return add(comm, stream, {true, Mail::Kind::slice, peer, writable(from), count * sizeof(float)});
}

ncclResult_t ncclRecv(void* to, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  if (group.depth == 0) return ncclInvalidUsage;
  return add(comm, stream, {false, Mail::Kind::slice, peer, writable(to), count * sizeof(float)});
}

// In place: `from` is this rank's part of `to`.
ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t,
                           ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = count * sizeof(float);
  const auto part = [&](int r) { return writable(to) + static_cast<size_t>(r) * bytes; };
  if (from != part(comm->rank)) return ncclInvalidUsage;
  ncclGroupStart();
  ncclResult_t status = ncclSuccess;
  for (int r = 0; r < comm->size && status == ncclSuccess; ++r) {
    if (r == comm->rank) continue;
    status = add(comm, stream, {true, Mail::Kind::gathered, r, writable(from), bytes});
    if (status == ncclSuccess)
      status = add(comm, stream, {false, Mail::Kind::gathered, r, part(r), bytes});
  }
  const ncclResult_t ended = ncclGroupEnd();
  return status == ncclSuccess ? ended : status;
}
