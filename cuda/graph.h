// A CUDA graph: work that is recorded once and then done again by one call, without the host
// launching each kernel anew.
//
//   const Tensor ids = to(batch.ids, Device::cuda);
//   Tensor y;
//   cuda::Graph graph([&] { y = model(ids, offsets); });
//   copy_into(ids, other.ids);
//   graph.replay();                                       // y is now that of the other ids
//
// A graph serves work that differs in the numbers of device tensors alone. Shapes are fixed when it
// is recorded, and so is all that ops derive on the host: from index tensors that lie there
// (offsets, labels), from options, and the random numbers of dropout. So keep one for each shape
// and
// each list of offsets, as an inference session may. Training steps are not recorded: how gradients
// of embeddings are added, how many labels count and what dropout draws differ from batch to batch,
// and a step of useful size keeps the device busy for longer than the host takes to launch it.
//
// The work is done twice by the constructor's call: once as usual, so that what is made once
// (plans of products, sent index tensors) is there, and once to be recorded. It
// - reads tensors that live, in place and on the host unchanged, as long as the graph;
// - may upload: the bytes are kept in pinned memory and sent again by every replay;
// - may not wait for the device (item(), to_vector): an Error;
// - leaves results that every replay overwrites: clone what should last.
//
// Its memory, peak of the work and results, is its own until the graph and the results are gone.
#pragma once
#include <functional>
#include <memory>

#include "cuda/runtime.h"
#include "tensor/device.h"

namespace ink::cuda {

class Recording;

class Graph final : public Recorded {
 public:
  explicit Graph(const std::function<void()>& work);
  ~Graph() override;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // In the order of the calling thread's stream. Not from two streams at once.
  void replay() override;
  size_t nodes() const { return nodes_; }  // kernels, copies and fills

 private:
  std::unique_ptr<Recording> recording_;
  cudaGraphExec_t executable_ = nullptr;
  size_t nodes_ = 0;
};

// Whether this thread's work is recorded rather than done.
bool is_recording();
// While it is: a copy of host memory that every replay sends again.
void record_upload(void* device, const void* host, size_t bytes);

}  // namespace ink::cuda
