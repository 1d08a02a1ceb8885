// An audio worklet that cuts sound into mono pieces of 20 ms with 16-bit integers.

class Pieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 50);
    this.begin();
  }

  begin() {
    this.piece = new Int16Array(this.size);
    this.filled = 0;
  }

  process([channels]) {
    if (!channels.length) return true; // nothing is connected at the moment
    for (let i = 0; i < channels[0].length; i += 1) {
      if (this.filled === 0) this.first = currentFrame + i;
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      const level = Math.max(-1, Math.min(1, sum / channels.length));
      this.piece[this.filled] = Math.round(32767 * level);
      this.filled += 1;
      if (this.filled === this.size) {
        this.port.postMessage({ pcm: this.piece.buffer, first: this.first, count: this.size }, [this.piece.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

registerProcessor("pieces", Pieces);
