"""Code that every API view shares. It imports no app and knows no domain terms."""
