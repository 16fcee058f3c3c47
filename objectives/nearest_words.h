// nearest_words: for every word the `most` others of highest cosine, by a blocked matrix product.
//
//   cos(a, b) = a·b / (|a| |b|)
//
// Rows of length 1 are multiplied in tiles of 64 words × 1024 words, and each tile leaves only what
// is among the best of its rows so far. So of the V × V cosines no more than a tile a thread is in
// memory; and V² · C multiply-adds run at the speed of tensor/gemm.h.
//
//   nearest_words(WordVectors::load("vectors.txt")).save("neighbours.txt");
#pragma once
#include <cstdint>

#include "text/word_neighbours.h"
#include "text/word_vectors.h"

namespace ink {

// Of equal cosines the word of smaller number comes first. A vector of zeros is near nothing: its
// word has no neighbours and is none. Raises Error for `most` outside 1 … 1024.
WordNeighbours nearest_words(const WordVectors& vectors, int64_t most = 10);

}  // namespace ink
