// The runtime's streams and events.
#include "cuda/emulated/streams.h"

#include <atomic>
#include <mutex>
#include <set>

#include "cuda/emulated/graphs.h"
#include "cuda/emulated/pinned.h"
#include "cuda/emulated/status.h"

namespace ink::cuda::emulated {
namespace {

struct AllStreams {
  std::mutex mutex;
  std::set<EmulatedStream*> streams;
  EmulatedStream standard;
};
AllStreams& all() {
  static auto& made = *new AllStreams;
  return made;
}

std::atomic<bool> are_stuck = false;

cudaError_t when_stuck(cudaError_t status) { return reported(are_stuck ? status : cudaSuccess); }

void wait_for(const EmulatedEvent& event) {
  if (!event.point) return;
  acquire(event.point.get());
  copies_are_made(event.stream, event.copies);
}

}  // namespace

void set_stuck(bool stuck) { are_stuck = stuck; }
bool is_stuck() { return are_stuck; }

EmulatedStream& stream_of(cudaStream_t handle) { return handle ? *handle : all().standard; }

InStream::InStream(cudaStream_t stream) : host_(seen_thread()) {
  if (!kSeesThreads) return;
  char point = 0;
  release(&point);
  act_as(stream_of(stream).seen);
  acquire(&point);
}

InStream::~InStream() { act_as(host_); }

void wait_for(cudaStream_t stream) {
  comes_after(stream_of(stream).seen);
  copies_are_made(stream, copies_noted());
}

void wait_for_all_streams() {
  const std::lock_guard lock(all().mutex);
  wait_for(nullptr);
  for (EmulatedStream* s : all().streams) wait_for(s);
}

}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

// ── streams ─────────────────────────────────────────────────────────────────────────────────────

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new EmulatedStream;
  const std::lock_guard lock(all().mutex);
  all().streams.insert(*stream);
  return reported(cudaSuccess);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return cudaStreamCreate(stream);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return reported(cudaErrorInvalidResourceHandle);
  const std::lock_guard lock(all().mutex);
  all().streams.erase(stream);
  end_seen_thread(stream->seen);
  delete stream;
  return reported(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (breaks_capture(stream)) return reported(cudaErrorStreamCaptureUnsupported);
  wait_for(stream);
  return when_stuck(cudaErrorLaunchFailure);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (breaks_capture(stream)) return reported(cudaErrorStreamCaptureUnsupported);
  wait_for(stream);
  return when_stuck(cudaErrorNotReady);
}

cudaError_t cudaDeviceSynchronize() {
  if (breaks_captures()) return reported(cudaErrorStreamCaptureUnsupported);
  wait_for_all_streams();
  return when_stuck(cudaErrorLaunchFailure);
}

// ── events ──────────────────────────────────────────────────────────────────────────────────────

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new EmulatedEvent;
  return reported(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return cudaEventCreate(event);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (!event) return reported(cudaErrorInvalidResourceHandle);
  delete event;
  return reported(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->point = std::make_unique<char>();
  event->when = std::chrono::steady_clock::now();
  event->stream = stream;
  event->copies = copies_noted();
  const InStream in_stream(stream);
  release(event->point.get());
  return reported(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const InStream in_stream(stream);
  if (event->point) acquire(event->point.get());
  return reported(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  wait_for(*event);
  return when_stuck(cudaErrorLaunchFailure);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  wait_for(*event);
  return when_stuck(cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->point || !end->point) return reported(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->when - start->when).count();
  return reported(cudaSuccess);
}
