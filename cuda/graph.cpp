// Stream capture on a stream that nobody else uses, with memory and uploads that stay the graph's.
#include "cuda/graph.h"

#include <mutex>
#include <utility>

#include "cuda/allocator.h"
#include "cuda/launch.h"
#include "cuda/pinned.h"
#include "cuda/stream.h"
#include "tensor/recording.h"

namespace ink::cuda {

// What a graph needs as long as it lives, beside its nodes.
struct Recording {
  std::shared_ptr<Reserve> memory;
  PinnedMemory uploads = {};
};

namespace {

thread_local Recording* current = nullptr;

// One for all graphs, so that what is kept for each stream is kept once; nothing ever runs there.
cudaStream_t recording_stream() {
  static const cudaStream_t made = [] {
    properties();
    cudaStream_t s = nullptr;
    expect_success(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "making a stream");
    return s;
  }();
  return made;
}

// Records what this thread asks for, until end(); ends without a graph when work throws.
class Capture {
 public:
  explicit Capture(Recording& recording) : stream_scope_(recording_stream()) {
    expect_success(cudaStreamBeginCapture(recording_stream(), cudaStreamCaptureModeRelaxed),
                   "recording a graph");
    current = &recording;
  }
  ~Capture() {
    current = nullptr;
    if (ended_) return;
    cudaGraphDestroy(finish().second);
    cudaGetLastError();  // the work's own Error is on its way
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t end() {
    const auto [status, graph] = finish();
    expect_success(status, "recording a graph");
    return graph;
  }

 private:
  std::pair<cudaError_t, cudaGraph_t> finish() {
    ended_ = true;
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(recording_stream(), &graph);
    return {status, graph};
  }

  StreamScope stream_scope_;
  RecordingScope recording_scope_;
  bool ended_ = false;
};

// Whether this thread is making a graph: its work runs once before it is recorded, and may not make
// another then either.
thread_local bool making = false;
struct MakingScope {
  MakingScope() { making = true; }
  ~MakingScope() { making = false; }
  MakingScope(const MakingScope&) = delete;
  MakingScope& operator=(const MakingScope&) = delete;
};

std::mutex& one_at_a_time() {
  static std::mutex made;
  return made;
}

cudaGraph_t recorded(const std::function<void()>& work, Recording& recording) {
  const ReserveScope reserve(*recording.memory);
  Capture capture(recording);
  work();
  return capture.end();
}

}  // namespace

// What is made once while the work is done as usual, such as the device's copies of index tensors,
// outlives a replay of another graph that has the same memory: so only what is recorded is in it.
Graph::Graph(const std::function<void()>& work, const Graph* beside)
    : recording_(new Recording{beside ? beside->recording_->memory : std::make_shared<Reserve>()}) {
  check(!making, "cuda: a graph cannot be recorded inside another");
  const std::lock_guard lock(one_at_a_time());
  const MakingScope scope;
  work();
  cudaGraph_t graph = nullptr;
  try {
    graph = recorded(work, *recording_);
  } catch (const Error&) {  // for want of memory, perhaps: none can be given back meanwhile
    release_device_cache();
    graph = recorded(work, *recording_);
  }
  const cudaError_t counted = cudaGraphGetNodes(graph, nullptr, &nodes_);
  const cudaError_t made = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  expect_success(counted, "counting a graph's nodes");
  expect_success(made, "making a graph");
}

// The runtime keeps an executable until its last replay is done. Nobody waits for that here: it may
// never be where the device exchanges gradients with a process that is gone.
Graph::~Graph() { cudaGraphExecDestroy(executable_); }

void Graph::replay() {
  check(!is_recording(), "cuda: a graph cannot be replayed inside another");
  detail::last_launched = "of a replayed graph";
  expect_success(cudaGraphLaunch(executable_, stream()), "replaying a graph");
  recording_->uploads.mark_read();
}

bool is_recording() { return current != nullptr; }

void record_upload(void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  const void* const kept = current->uploads.keep(host, bytes);
  expect_success(cudaMemcpyAsync(device, kept, bytes, cudaMemcpyHostToDevice, stream()),
                 "recording an upload");
}

}  // namespace ink::cuda
