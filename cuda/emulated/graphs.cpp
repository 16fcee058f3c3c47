// The runtime's graphs: a replay does what was noted, in order.
#include "cuda/emulated/graphs.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda/emulated/status.h"
#include "cuda/stream.h"

struct EmulatedGraph {
  std::vector<std::function<void()>> nodes;
  bool broken = false;
};

namespace ink::cuda::emulated {
namespace {

struct Captures {
  std::mutex mutex;
  std::map<cudaStream_t, EmulatedGraph*> open;
};
Captures& captures() {
  static auto& made = *new Captures;
  return made;
}

}  // namespace

bool noted(cudaStream_t stream, const std::function<void()>& work) {
  Captures& all = captures();
  const std::lock_guard lock(all.mutex);
  const auto found = all.open.find(stream);
  if (found == all.open.end()) return false;
  found->second->nodes.push_back(work);
  return true;
}

bool breaks_capture(cudaStream_t stream) {
  Captures& all = captures();
  const std::lock_guard lock(all.mutex);
  const auto found = all.open.find(stream);
  if (found == all.open.end()) return false;
  found->second->broken = true;
  return true;
}

bool breaks_captures() {
  Captures& all = captures();
  const std::lock_guard lock(all.mutex);
  for (const auto& [stream, graph] : all.open) graph->broken = true;
  return !all.open.empty();
}

}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard lock(captures().mutex);
  if (!captures().open.emplace(stream, nullptr).second) return reported(cudaErrorInvalidValue);
  captures().open[stream] = new EmulatedGraph;
  return reported(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(captures().mutex);
  const auto found = captures().open.find(stream);
  if (found == captures().open.end()) return reported(cudaErrorInvalidValue);
  *graph = found->second;
  captures().open.erase(found);
  if (!(*graph)->broken) return reported(cudaSuccess);
  delete std::exchange(*graph, nullptr);
  return reported(cudaErrorStreamCaptureInvalidated);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(captures().mutex);
  *status =
      captures().open.count(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return reported(cudaSuccess);
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) {
  *count = graph->nodes.size();
  return reported(cudaSuccess);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new EmulatedGraph(*graph);
  return reported(cudaSuccess);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const ink::cuda::StreamScope as_this_stream(stream);
  for (const auto& node : executable->nodes) node();
  return reported(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return reported(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return reported(cudaSuccess);
}
