using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;

using FastAttn.Benchmarks.Peers.Onnx;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Times all cases in turn, round after round, so that a slow moment of the machine falls on all of them alike.</summary>
internal sealed class QuickRunner(IReadOnlyList<QuickRow> cases, int threads, int rounds, TextWriter progress)
{
    // A method has four kinds of code in turn: first code, code that counts calls, instrumented code, final code. The JIT takes each step in
    // the background, 0.1 s after the last new method. So the fourth pass runs the final code.
    private const int WarmPasses = 4;
    private static readonly TimeSpan JitTime = TimeSpan.FromMilliseconds(200);

    public QuickResult Run()
    {
        var machine = new MachineSampler([.. cases.Select(@case => @case.InstructionSet).Distinct()], threads);
        List<CaseSampler<QuickRow>> samplers = Prepare();

        for (int round = 0; round < rounds; round++)
        {
            progress.WriteLine($"round {round + 1} of {rounds}");
            machine.Sample();
            foreach (CaseSampler<QuickRow> sampler in samplers)
            {
                if (!sampler.TakesPartIn(round))
                    continue;
                sampler.Sample();
                Rest(sampler);
            }
        }

        return Summarize(machine.Figures(), samplers);
    }

    private List<CaseSampler<QuickRow>> Prepare()
    {
        progress.WriteLine("inputs");
        var buffers = new AttentionBuffers(
            cases.Max(@case => @case.QueryElements),
            cases.Max(@case => @case.KeyElements));
        List<CaseSampler<QuickRow>> samplers = [.. cases.Select(@case => new CaseSampler<QuickRow>(@case, @case.Bind(buffers, threads), threads))];

        for (int pass = 0; pass < WarmPasses; pass++)
        {
            progress.WriteLine($"warm-up {pass + 1} of {WarmPasses}");
            foreach (CaseSampler<QuickRow> sampler in samplers)
            {
                sampler.Warm();
                Rest(sampler);
            }

            Thread.Sleep(JitTime);
        }

        return samplers;
    }

    // The threads of a peer spin for a while after a call. The next case waits for their end, since they would take processors from it.
    private void Rest(CaseSampler<QuickRow> sampler)
    {
        if (threads > 1 && !sampler.Case.IsFastAttn)
            Thread.Sleep(OnnxSession.SpinTime);
    }

    private QuickResult Summarize(MachineFigures machine, List<CaseSampler<QuickRow>> samplers)
    {
        IEnumerable<CaseResult> results = samplers.Select(sampler => new CaseResult(
            sampler.Case,
            threads,
            Spread.Of(sampler.Milliseconds),
            machine.PeakOf(sampler.Case.InstructionSet),
            sampler.Milliseconds,
            sampler.AllocatedBytes));
        return new QuickResult(machine, [.. results], threads, rounds);
    }
}
