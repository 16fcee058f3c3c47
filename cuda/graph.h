// A CUDA graph: work that is recorded once and then done again by one call, without the host
// launching each kernel anew.
//
//   const Tensor ids = to(batch.ids, Device::cuda);
//   Tensor y;
//   cuda::Graph graph([&] { y = model(ids, offsets); });
//   copy_into(ids, other.ids);
//   graph.replay();                                       // y is now that of the other ids
//
// A graph serves work that differs in numbers alone. Shapes are fixed when it is recorded, and so
// is all that depends on more than the device's memory: lengths of sequences, options, branches.
// What changes from one replay to the next is written where the recorded work reads it:
// - tensors on the device, by copy_into();
// - index tensors of the host (ids, labels), by renew(): what ops derive from them for the device,
//   such as sorted ids for the gradient of an embedding, is derived and sent anew;
// - random numbers of dropout, by ReplayedRandom::start() (tensor/replayed_random.h).
// So keep one for each shape and each list of offsets, as an inference session
// (nn/encode_graphs.h) and training (autograd/step_graphs.h) do.
//
// The work is done twice by the constructor's call: once as usual, so that what is made once
// (plans of products, sent index tensors) is there, and once to be recorded. It
// - reads tensors that live, in place, as long as the graph;
// - may upload: the bytes are kept in pinned memory and sent again by every replay;
// - may not wait for the device (item(), to_vector): an Error;
// - leaves results that every replay overwrites: clone what should last.
//
// Its memory, peak of the work and results, is its own until the graph and the results are gone. A
// graph that is made `beside` another shares its memory: they are never replayed at the same time,
// and a replay of one overwrites the results of the other. It may go while a replay is under way:
// nobody waits for that.
#pragma once
#include <functional>
#include <memory>

#include "cuda/runtime.h"
#include "tensor/device.h"

namespace ink::cuda {

struct Recording;

class Graph final : public Recorded {
 public:
  explicit Graph(const std::function<void()>& work, const Graph* beside = nullptr);
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
