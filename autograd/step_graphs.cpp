// Recordings by shape; inputs that are overwritten in place; results that the next step uses up.
#include "autograd/step_graphs.h"

#include <algorithm>
#include <utility>

#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/flat.h"

namespace ink {

// A recorded shape. Index tensors of its inputs lie on the host, the others on the device.
struct StepGraphs::Entry {
  Shapes shapes;
  MicroInputs inputs = {};
  Learned results = {};
  std::shared_ptr<Recorded> recorded = {};
  int64_t used = 0;  // when it was last
};

namespace {

// Everything in which steps that one recording serves are alike.
std::vector<int64_t> shapes_of(const MicroInputs& inputs) {
  std::vector<int64_t> all = {std::ssize(inputs.structure)};
  all.insert(all.end(), inputs.structure.begin(), inputs.structure.end());
  for (const Tensor& x : inputs.tensors) {
    all.push_back(static_cast<int64_t>(x.dtype()));
    all.push_back(x.rank());
    for (int axis = 0; axis < x.rank(); ++axis) all.push_back(x.dim(axis));
  }
  return all;
}

// Copies that later batches overwrite.
MicroInputs placed(MicroInputs inputs) {
  for (Tensor& x : inputs.tensors) {
    check(x.device() == Device::cpu && x.is_contiguous() &&
              (x.dtype() == Dtype::i32 || x.dtype() == Dtype::f32),
          "step graphs: expected inputs of the host, contiguous and of i32 or f32");
    x = x.dtype() == Dtype::i32 ? clone(x) : to(x, Device::cuda);
  }
  return inputs;
}

void overwrite(MicroInputs& inputs, const MicroInputs& by) {
  for (size_t i = 0; i < inputs.tensors.size(); ++i) {
    Tensor& x = inputs.tensors[i];
    if (x.device() == Device::cpu) {
      renew(x, by.tensors[i]);
    } else {
      copy_into(x, by.tensors[i]);
    }
  }
}

// What the host knows of a micro-batch, put in place of what it knew of the recorded one.
void update(MicroLoss& micro, const MicroLoss& known) {
  micro.weight = known.weight;
  micro.tokens = known.tokens;
  micro.metrics = known.metrics;
  for (Measure& m : micro.measures) {
    const auto found = std::ranges::find(known.measures, m.name, &Measure::name);
    check(found != known.measures.end(), "step graphs: expected a factor of '", m.name, "'");
    m.factor = found->factor;
  }
}

// x as a replay leaves it, without a hold on its memory: recordings that follow may use that too.
Tensor released(const Tensor& x, const std::shared_ptr<Recorded>& of) {
  if (!x || x.device() == Device::cpu) return x;
  const StorageRef& memory = x.storage();
  Storage* lent = Storage::borrow(memory->data(), memory->bytes(), of, memory->device());
  return Tensor(StorageRef(lent), x.shape(), x.strides(), x.offset(), x.dtype());
}
void release(Learned& results, const std::shared_ptr<Recorded>& of) {
  results.micro.loss = released(results.micro.loss, of);
  for (Measure& m : results.micro.measures) m.value = released(m.value, of);
  for (Tensor& g : results.gradients) g = released(g, of);
}

// Copies that a replay does not overwrite, all gradients in one launch.
Learned copied(const Learned& x) {
  Learned made{x.micro, std::vector<Tensor>(x.gradients.size())};
  made.micro.loss = clone(x.micro.loss);
  for (Measure& m : made.micro.measures) m.value = clone(m.value);
  std::vector<FlatPart> parts;
  for (const Tensor& g : x.gradients)
    if (g) parts.push_back({g, g.size()});
  const Flat flat(parts, 1);
  size_t k = 0;
  for (size_t i = 0; i < x.gradients.size(); ++i)
    if (x.gradients[i]) made.gradients[i] = flat.part(k++, x.gradients[i].shape());
  return made;
}

}  // namespace

StepGraphs::StepGraphs(Parameters& parameters, const Optimizer& optimizer,
                       const ReplayableLoss& loss, bool several, Notice notice)
    : parameters_(parameters),
      optimizer_(optimizer),
      loss_(loss),
      several_(several),
      notice_(std::move(notice)) {}

StepGraphs::~StepGraphs() = default;

std::optional<Learned> StepGraphs::learn(int64_t micro_batch, const Random& random) {
  if (stopped_) return std::nullopt;
  ++now_;
  const MicroInputs inputs = loss_.inputs(micro_batch);
  if (!inputs.obstacle.empty()) {
    say("steps are not replayed as CUDA graphs where " + inputs.obstacle);
    return std::nullopt;
  }
  forget_if_moved();
  Shapes shapes = shapes_of(inputs);
  streams_.start(random);
  if (Entry* known = find(shapes)) return replay(*known, inputs);
  if (is_new(shapes) || !has_room()) return std::nullopt;
  try {
    return record(inputs, std::move(shapes));
  } catch (const Error& error) {
    stop(error.message());
    return std::nullopt;
  }
}

// The entry of these shapes, which moves to the front.
StepGraphs::Entry* StepGraphs::find(const Shapes& shapes) {
  const auto known =
      std::ranges::find_if(entries_, [&](const auto& e) { return e->shapes == shapes; });
  if (known == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, known);
  entries_.front()->used = now_;
  return entries_.front().get();
}

bool StepGraphs::is_new(const Shapes& shapes) {
  if (met_.size() >= kRemembered) met_.clear();
  return met_.insert(shapes).second;
}

bool StepGraphs::has_room() const {
  return entries_.size() < kKept || now_ - entries_.back()->used > kIdle;
}

// Forward and backward of inputs that lie where a recording reads them.
Learned StepGraphs::compute(const MicroInputs& inputs) {
  Tape tape;
  tape.watch(parameters_);
  Learned made{loss_.loss(inputs, streams_.root()), {}};
  made.gradients = tape.backward(made.micro.loss, optimizer_.loss_scale(), parameters_);
  return made;
}

// Computes the micro-batch as usual on the way.
Learned StepGraphs::record(const MicroInputs& inputs, Shapes shapes) {
  auto entry = std::make_unique<Entry>(Entry{.shapes = std::move(shapes), .used = now_});
  entry->inputs = placed(inputs);
  Learned now;
  const auto work = [&] {
    Learned made = compute(entry->inputs);
    (cuda_backend().recording() ? entry->results : now) = std::move(made);
  };
  const Recorded* beside = entries_.empty() ? nullptr : entries_.front()->recorded.get();
  entry->recorded = cuda_backend().record(work, beside);
  release(entry->results, entry->recorded);
  if (entries_.size() == kKept) entries_.pop_back();
  entries_.push_front(std::move(entry));
  update(now.micro, inputs.known);
  return now;
}

Learned StepGraphs::replay(Entry& entry, const MicroInputs& inputs) {
  overwrite(entry.inputs, inputs);
  entry.recorded->replay();
  ++replayed_;
  update(entry.results.micro, inputs.known);
  return several_ ? copied(entry.results) : entry.results;
}

// Recordings read parameters where they lay: they are of no use once one has been given another
// tensor.
void StepGraphs::forget_if_moved() {
  std::vector<Tensor> values;
  for (const Parameter& p : parameters_) values.push_back(p.value);
  const auto same = [](const Tensor& a, const Tensor& b) {
    return a.storage().get() == b.storage().get() && a.offset() == b.offset();
  };
  if (!std::ranges::equal(values, values_, same)) {
    entries_.clear();
    values_ = std::move(values);
  }
}

void StepGraphs::say(const std::string& sentence) {
  if (!std::exchange(told_, true)) notice_(sentence);
}

void StepGraphs::stop(const std::string& why) {
  entries_.clear();
  stopped_ = true;
  say("steps are not replayed as CUDA graphs: " + why);
}

}  // namespace ink
