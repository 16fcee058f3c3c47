// Surgery on the residual stream as pure functions: fewer channels, fewer layers.
//
// Channel c of the residual stream is a column of the embeddings, an element of every layer norm, a
// column of every weight that reads the stream (query, key, value, the first FFN weight, heads) and
// a row, with its bias, of every weight that writes to it (the attention's output, the second FFN
// weight). What has as many channels by construction goes along: outputs of the pooler and of the
// dense layers of heads. All in all, an axis of a parameter that grows with hidden_size.
//
// A layer norm takes mean and variance over the channels that there are, so a channel that is 0
// everywhere still counts. Cutting it is not the same as zeroing it: the smaller model computes
// what the larger one does with the channel at 0 *and* left out of these means. Heads and neurons
// are different there (compress/surgery.h).
//
// Only where layers are BERT's (BERT, RoBERTa, XLM-R, ELECTRA, ALBERT, DistilBERT): XLNet computes
// the encoding of distances from hidden_size, and MobileBERT's decoder is put together from two
// weights along the channels. Raises Error for others.
#pragma once
#include <cstdint>
#include <vector>

#include "nn/model.h"

namespace ink {

// `keep` has an element for each channel, or each layer; 1 = stays. One at least stays. Layers that
// share one group of weights (ALBERT) become fewer runs of it, whichever go; several groups are
// refused. ELECTRA's stream does not get just as narrow as its narrower embeddings, because its
// config then says that nothing projects them.
ModelConfig config_with_channels(const ModelConfig& config, const std::vector<uint8_t>& keep);
ModelConfig config_with_layers(const ModelConfig& config, const std::vector<uint8_t>& keep);

// Whether a stream of so many channels can read the embeddings of such a model: false where it has
// just as many as ELECTRA's embeddings, which are projected to it now and then no longer would be.
bool projects_embeddings(const ModelConfig& config, int64_t channels);

// In memory of their own.
Model with_channels(const Model& model, const std::vector<uint8_t>& keep);
Model with_layers(const Model& model, const std::vector<uint8_t>& keep);

}  // namespace ink
